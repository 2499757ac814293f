const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (value) => String(value).replace(/[&<>"]/g, (sign) => escapes[sign])

const messages = {
  'signed-out': 'You have signed out at the issuer, so you are signed out here as well.',
  'not-signed-in': 'You have not signed in.',
}

const button = (path, label) =>
  `<form method="post" action="${path}"><button>${label}</button></form>`

const claims = (person) =>
  Object.entries(person)
    .map(([name, value]) => `<tr><th>${escaped(name)}</th><td>${escaped(value)}</td></tr>`)
    .join('')

/** The one page of the app, for a person who is signed in or not. */
export function page(person, { result, message }) {
  const note = messages[message] ? `<p role="status">${messages[message]}</p>` : ''
  const content = person
    ? `<h1>Hello, ${escaped(person.name ?? person.preferred_username ?? person.sub)}</h1>
       <table>${claims(person)}</table>
       ${result ? `<p role="status">${escaped(result)}</p>` : ''}
       ${button('/call', 'Call the service')}
       ${button('/refresh', 'Refresh the tokens')}
       ${button('/sign-out', 'Sign out')}`
    : `<h1>Example web app</h1>${note}<p><a href="/sign-in">Sign in</a></p>`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Example web app</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/app.css"></head><body><main>${content}</main></body></html>`
}
