const { UserManager } = globalThis.oidc

const { issuer, clientId, service } = await (await fetch('/config.json')).json()

const manager = new UserManager({
  authority: issuer,
  client_id: clientId,
  redirect_uri: `${location.origin}/`,
  post_logout_redirect_uri: `${location.origin}/`,
  scope: 'openid profile email read offline_access',
  loadUserInfo: true,
  // With the refresh token: no frame, no cookie of another site.
  automaticSilentRenew: true,
})

const element = (id) => document.getElementById(id)
const show = (text) => {
  element('message').textContent = text
}

/**
 * The answer of the issuer is in the address, which is then cleaned: a reload must not send the code again.
 * @returns false if there is none
 */
async function finishSignIn() {
  const answer = new URLSearchParams(location.search)
  if (!answer.has('state') || !(answer.has('code') || answer.has('error'))) return false
  const address = location.href
  history.replaceState(null, '', '/')
  await manager
    .signinCallback(address)
    .catch((error) => show(`You are not signed in: ${error.message}`))
  return true
}

function showClaims({ profile }) {
  element('hello').textContent =
    `Hello, ${profile.name ?? profile.preferred_username ?? profile.sub}`
  const rows = Object.entries(profile).map(([name, value]) => {
    const row = document.createElement('tr')
    for (const [tag, text] of [
      ['th', name],
      ['td', value],
    ]) {
      row.append(Object.assign(document.createElement(tag), { textContent: String(text) }))
    }
    return row
  })
  element('claims').replaceChildren(...rows)
}

async function render() {
  const user = await manager.getUser()
  element('signed-in').hidden = !user
  element('signed-out').hidden = Boolean(user)
  if (user) showClaims(user)
}

/** Ends the session of this page when the one at the issuer has ended. */
async function signedOut() {
  await manager.removeUser()
  await render()
  show('You have signed out at the issuer, so you are signed out here as well.')
}

async function callService() {
  const user = await manager.getUser()
  if (!user) return render()
  const answer = await fetch(`${service}/reports`, {
    headers: { authorization: `Bearer ${user.access_token}` },
  }).catch(() => undefined)
  if (!answer) {
    return show(
      `The service at ${service} does not answer. Start it: node examples/koa-service/service.js`,
    )
  }
  // A token that the service refuses is expired, or its session has ended.
  if (answer.status === 401) return refresh()
  show(`The service answers ${answer.status}: ${await answer.text()}`)
}

async function refresh() {
  try {
    const user = await manager.signinSilent()
    show(`A new access token, valid for ${user.expires_in} seconds.`)
    await render()
  } catch (error) {
    if (error.error === 'invalid_grant') return signedOut()
    show(`The tokens could not be refreshed: ${error.message}`)
  }
}

/** The session may have ended at the issuer while this page was away. */
async function check() {
  const user = await manager.getUser()
  if (!user) return
  const answer = await fetch(await manager.metadataService.getUserInfoEndpoint(), {
    headers: { authorization: `Bearer ${user.access_token}` },
  }).catch(() => undefined)
  if (answer?.status === 401) await refresh()
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') check()
})
element('sign-in').addEventListener('click', () => manager.signinRedirect())
element('sign-out').addEventListener('click', () => manager.signoutRedirect())
element('call').addEventListener('click', callService)
element('refresh').addEventListener('click', refresh)

const isNew = await finishSignIn()
await render()
if (!isNew) await check()
