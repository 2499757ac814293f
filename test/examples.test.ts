import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { freePort } from '../src/stores/embedded/postmaster.ts'
import { eventually } from '../tools/eventually.ts'
import { masterKeyText } from '../tools/fixtures.ts'
import { root } from '../tools/root.ts'
import { finish } from './support/clients/web-app.ts'
import { blocksOf, filledIn } from './support/docs/documents.ts'
import { FlowBrowser } from './support/http/flow-browser.ts'
import { addPerson, goodPassword } from './support/people/account-api.ts'
import { startProgram } from './support/server/example-program.ts'
import { likeFirstStart } from './support/server/first-start.ts'
import { emptyFolder, serve } from './support/server/signet.ts'
import { copyTemplate, startServer } from './support/server/start-server.ts'

/** Starts the Koa example. */
async function startExample(t: ExecutionContext, issuer: string) {
  const program = await startProgram(t, 'koa-service/service.js', { env: { ISSUER: issuer } })
  const { url } = program
  const ask = async (path: string, token?: string) => {
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
    return (await fetch(url + path, { headers })).status
  }
  return { ...program, ask }
}

test('the curl commands of the Koa example work as pasted', async (t) => {
  const server = await startServer(t)
  const { demo, password } = await likeFirstStart(server)
  const service = await startExample(t, server.app.issuer)
  const readme = await readFile(join(root, 'examples/koa-service/README.md'), 'utf8')
  const given = {
    URL: server.url,
    SERVICE: service.url,
    CLIENT: `demo:${demo.secret}`,
    PASSWORD: password,
  }
  const script = filledIn(t, blocksOf(readme, 'bash').join(''), given)
  // A revocation may take longer than two seconds to arrive here.
  const bearer = '-H "Authorization: Bearer $TOKEN"'
  const wait = `sleep() { while curl -sf -o /dev/null ${bearer} "$SERVICE/"; do command sleep 0.1; done; }`
  const args = ['-euo', 'pipefail', '-c', `${wait}\n${script}`]
  const { stdout } = await promisify(execFile)('bash', args, { timeout: 60_000 })

  const statuses = [...stdout.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status)
  t.deepEqual(statuses, ['401', '200', '200', '200', '401'], stdout)
  t.regex(service.said(), /"token_revoked"/)
})

test('the Koa example accepts valid tokens only, and works without the server', async (t) => {
  const server = await startServer(t)
  const { demo, password } = await likeFirstStart(server)
  await server.services.users.create({
    username: 'ben',
    password: 'the password of ben',
    roles: [],
  })
  const service = await startExample(t, server.app.issuer)
  const signIn = async (username: string, secret: string, scope: string) =>
    (await server.signIn({ username, password: secret, scope }, demo)).body
  const admin = await signIn('admin', password, 'read offline_access')
  const ben = await signIn('ben', 'the password of ben', 'write')
  const elsewhere = (await server.clientCredentials()).body.access_token

  t.deepEqual(await service.ask('/reports', admin.access_token), 200)
  t.is(await service.ask('/audit', admin.access_token), 200)
  t.is(await service.ask('/', ben.access_token), 200)
  t.is(await service.ask('/reports', ben.access_token), 403, 'lacks the scope')
  t.is(await service.ask('/audit', ben.access_token), 403, 'lacks the role')
  t.is(await service.ask('/', elsewhere), 401, 'for another audience')
  t.is(await service.ask('/'), 401)
  t.is(await service.ask('/hello'), 200)
  t.is(await service.ask('/hello', elsewhere), 401)
  t.is(await service.ask('/health'), 200)

  await server.revoke(admin.refresh_token, demo)
  const isRefused = async () => (await service.ask('/', admin.access_token)) === 401
  await eventually(isRefused, 'the ended session is refused')
  t.is(await service.ask('/', ben.access_token), 200)
  await server.stop()
  t.is(await service.ask('/', ben.access_token), 200, 'no request per token')
  t.is(await service.ask('/', admin.access_token), 401)
  t.is(await service.stop(), 0, service.said())
})

/** The web app beside a server of this process, and grace, who has a browser. */
async function startWebApp(t: ExecutionContext) {
  const server = await startServer(t)
  const { issuer } = server.app
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const { secret = '' } = await server.services.clients.create({
    id: 'web-app',
    name: 'Example web app',
    firstParty: true,
    grantTypes: ['authorization_code', 'refresh_token'],
    scopes: ['openid', 'profile', 'email', 'read', 'offline_access'],
    audiences: [issuer],
    redirectUris: [`${url}/callback`],
    postLogoutRedirectUris: [`${url}/`],
    backchannelLogoutUri: `${url}/backchannel-logout`,
  })
  const { id } = await addPerson(server, 'grace')
  const service = await startExample(t, issuer)
  const env = {
    ISSUER: issuer,
    PORT: String(port),
    SERVICE: service.url,
    CLIENT_ID: 'web-app',
    CLIENT_SECRET: secret,
  }
  const program = await startProgram(t, 'web-app/app.js', { env })
  const browser = new FlowBrowser(server.url)
  const open = async (path: string) => (await browser.visit(url + path)).html
  const press = async (path: string) => {
    const { location } = await browser.visit(url + path, { form: {} })
    return (await browser.visit(location)).html
  }
  const signIn = async () => {
    const person = { username: 'grace', password: goodPassword }
    const { location } = await finish(browser, await browser.open(`${url}/sign-in`), person)
    await browser.visit(location)
    return open('/')
  }
  return { server, id, program, browser, url, open, press, signIn }
}

test('the web app: sign in, claims, call, refresh, sign out', async (t) => {
  const { program, browser, url, open, press, signIn } = await startWebApp(t)
  t.regex(await open('/'), /<a href="\/sign-in">/)
  const page = await signIn()
  t.regex(page, /Hello, grace/, page)
  t.regex(page, /<th>email<\/th><td>grace@people.example</)
  t.regex(await press('/call'), /The service answers 200/)
  t.regex(await press('/refresh'), /A new access token, valid for \d+ seconds/)
  t.regex(await press('/call'), /The service answers 200/)
  const { location } = await browser.visit(`${url}/sign-out`, { form: {} })
  const out = await browser.open(location)
  t.is(out.location, `${url}/`, out.html)
  t.regex(await open('/'), /<a href="\/sign-in">/)
  t.regex((await browser.open(`${url}/sign-in`)).html, /password/, 'single sign-on has ended too')
  t.is(await program.stop(), 0, program.said())
})

test('signing out at the issuer → the web app has signed the person out', async (t) => {
  const { server, id, program, open, signIn } = await startWebApp(t)
  t.regex(await signIn(), /Hello, grace/)
  await server.services.userSessions.endAll(id, '192.0.2.1')
  await eventually(async () => !/Hello/.test(await open('/')), 'the page says so')
  t.regex(await signIn(), /Hello, grace/, 'and signs her in again')
  await eventually(() => /"backchannel-logout"/.test(program.said()), 'it was notified')
})

test('BCL 1.0 §2.6: a web app that gets anything but a logout token for it → 400', async (t) => {
  const { server, program, url, signIn, open } = await startWebApp(t)
  await signIn()
  const sid = /"sid":"([^"]+)"/.exec(program.said())?.[1]
  const { keyring } = server.services
  const { issuer } = server.app
  const event = 'http://schemas.openid.net/event/backchannel-logout'
  const good = {
    iss: issuer,
    aud: 'web-app',
    iat: 1,
    exp: 4e9,
    jti: 'one',
    sid,
    events: { [event]: {} },
  }
  const wrong = [
    'x',
    await keyring.sign('JWT', good),
    await keyring.sign('logout+jwt', { ...good, aud: 'another' }),
    await keyring.sign('logout+jwt', { ...good, nonce: 'n' }),
    await keyring.sign('logout+jwt', { ...good, events: {} }),
    await keyring.sign('logout+jwt', { ...good, exp: 1 }),
  ]
  const send = async (logout_token: string) => {
    const body = new URLSearchParams({ logout_token })
    return (await fetch(`${url}/backchannel-logout`, { method: 'POST', body })).status
  }
  for (const token of wrong) t.is(await send(token), 400)
  t.regex(await open('/'), /Hello/)
  t.is(await send(await keyring.sign('logout+jwt', good)), 200)
  t.notRegex(await open('/'), /Hello/)
})

test('one command each: the apps register themselves and lead to the sign-in page', async (t) => {
  const cwd = await emptyFolder(t)
  const spaPort = String(await freePort())
  const own = {
    NODE_ENV: 'development',
    DATABASE_URL: await copyTemplate(t),
    MASTER_KEYS: masterKeyText,
    REDIS_URL: 'none',
  }
  const serving = await serve(t, { cwd, env: own })
  const env = { ...own, ISSUER: serving.url }
  const browser = new FlowBrowser(serving.url)
  const webApp = await startProgram(t, 'web-app/app.js', { cwd, env })
  const page = await browser.open(`${webApp.url}/sign-in`)
  t.is(page.status, 200, page.html)
  t.regex(page.html, /password/)

  const spa = await startProgram(t, 'spa/server.js', { cwd, env: { ...env, PORT: spaPort } })
  t.regex((await browser.visit(`${spa.url}/`)).html, /oidc-client-ts\.js/)
  for (const file of ['oidc-client-ts.js', 'app.js', 'app.css']) {
    t.is((await browser.visit(`${spa.url}/${file}`)).status, 200, file)
  }
  for (const path of ['/../package.json', '//']) {
    t.is((await browser.visit(`${spa.url}${path}`)).status, 404, path)
  }
  const { issuer, clientId } = JSON.parse((await browser.visit(`${spa.url}/config.json`)).html)
  t.deepEqual([issuer, clientId], [serving.url, 'spa'])
  const request = new URLSearchParams({
    client_id: clientId,
    redirect_uri: `${spa.url}/`,
    response_type: 'code',
    scope: 'openid profile email read offline_access',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  })
  t.regex((await browser.open(`/oauth/authorize?${request}`)).html, /password/)
  const preflight = await fetch(`${serving.url}/oauth/token`, {
    method: 'OPTIONS',
    headers: { origin: spa.url, 'access-control-request-method': 'POST' },
  })
  t.is(preflight.headers.get('access-control-allow-origin'), spa.url)

  await spa.stop()
  const again = await startProgram(t, 'spa/server.js', { cwd, env: { ...env, PORT: spaPort } })
  t.is((await browser.visit(`${again.url}/`)).status, 200, 'it is registered already')
})
