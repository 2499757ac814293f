import type { Middleware } from '../http/context.ts'

/** The stylesheet of all pages: 10 KB at most, without a font or an image to load. */
const style = `:root {
  color-scheme: light dark;
  --accent: light-dark(#0b57d0, #a8c7fa);
  --on-accent: light-dark(#ffffff, #062e6f);
  --surface: light-dark(#ffffff, #1f2023);
  --background: light-dark(#f3f5f8, #131416);
  --text: light-dark(#1c1d20, #e6e7ea);
  --muted: light-dark(#54575f, #a9adb6);
  --line: light-dark(#767a83, #8b909a);
  --danger: light-dark(#b3261e, #f2b8b5);
  --radius: .625rem;
  font: 100%/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
}
*, *::before, *::after { box-sizing: border-box }
body { margin: 0; min-height: 100vh; background: var(--background); color: var(--text) }
.card { max-width: 26rem; margin: 0 auto; padding: 2.5rem 1.25rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1.25rem; text-wrap: balance }
p { margin: 0 0 1rem }
a { color: var(--accent) }
.field { margin: 0 0 1.125rem }
label { display: block; font-weight: 600; margin-bottom: .25rem }
input:not([type=checkbox]) { width: 100%; font: inherit; color: inherit; background: var(--surface); padding: .625rem .75rem; border: 1px solid var(--line); border-radius: var(--radius) }
input[aria-invalid] { border-color: var(--danger) }
.check { display: flex; gap: .5rem; align-items: center; font-weight: 400; margin-bottom: 1.125rem; min-height: 1.5rem }
.check input { width: 1.25rem; height: 1.25rem; margin: 0; accent-color: var(--accent) }
button, .button { display: block; width: 100%; font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer; padding: .6875rem 1rem; margin: 0 0 .75rem; border: 1px solid transparent; border-radius: var(--radius); background: var(--accent); color: var(--on-accent) }
button.secondary, .button.secondary { background: transparent; color: var(--accent); border-color: var(--line) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.hint { color: var(--muted); font-size: .9375rem }
.error, .alert { color: var(--danger) }
.error { margin: .25rem 0 0; font-size: .9375rem }
.alert { border: 1px solid; border-radius: var(--radius); padding: .75rem }
`

const submit = 'document.forms[0].submit()\n'

const favicon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="none" stroke="#0b57d0" stroke-width="3"/></svg>'

const serve =
  (type: string, body: string): Middleware =>
  (ctx) => {
    ctx.set('cache-control', 'public, max-age=3600')
    ctx.type = type
    ctx.body = body
  }

export const assets: Readonly<Record<string, Middleware>> = {
  'pages.css': serve('text/css; charset=utf-8', style),
  'submit.js': serve('text/javascript; charset=utf-8', submit),
  'favicon.svg': serve('image/svg+xml', favicon),
}

/** The accent color of a client, as a stylesheet of its own: no style is inline. */
export const accent: Middleware = async (ctx, next) => {
  const [, color] = /^([0-9a-f]{6})\.css$/i.exec(ctx.params?.file ?? '') ?? []
  if (color === undefined) return void (await next())
  ctx.set('cache-control', 'public, max-age=86400')
  ctx.type = 'text/css; charset=utf-8'
  ctx.body = `:root { --accent: #${color} }\n`
}
