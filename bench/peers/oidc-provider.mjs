import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto'
import Provider from 'oidc-provider'
import { memoryAdapter, postgresAdapter } from './oidc-adapters.mjs'

/** oidc-provider with what Signet has: RS256 JWT access tokens, refresh tokens that rotate, Basic. */
const audience = 'https://api.bench.example'
const scope = 'read write offline_access'
const sessionSeconds = 604_800
const cookieKey = randomUUID()
let provider

process.on('message', async (message) => {
  try {
    process.send({ result: await answer(message) })
  } catch (error) {
    process.send({ error: error.stack })
  }
})
process.on('disconnect', () => process.exit())

function answer(message) {
  if (message.seed) return seed(message.seed)
  return message.seedBrowsers ? seedBrowsers(message.seedBrowsers) : open(message)
}

async function open({ databaseUrl }) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = { ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'one' }
  provider = new Provider('https://oidc-provider.bench.example', {
    adapter: databaseUrl ? await postgresAdapter(databaseUrl) : memoryAdapter(),
    clients: [
      {
        client_id: 'app',
        client_secret: 'the-secret-of-the-bench',
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
        response_types: ['code'],
        redirect_uris: ['https://app.bench.example/callback'],
        scope: `openid ${scope}`,
      },
    ],
    jwks: { keys: [key] },
    scopes: ['openid', ...scope.split(' ')],
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    cookies: { keys: [cookieKey] },
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    ttl: {
      ...{ AccessToken: 900, ClientCredentials: 900, Grant: 2_592_000, RefreshToken: 604_800 },
      ...{ Session: sessionSeconds, Interaction: 3600, IdToken: 3600 },
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          ...{ scope: 'read write', audience, accessTokenFormat: 'jwt', accessTokenTTL: 900 },
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  })
  const server = provider.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return { port: server.address().port }
}

/** Sessions as an authorization code would have begun them. */
async function seed(sessions) {
  const client = await provider.Client.find('app')
  const tokens = []
  for (let n = 0; n < sessions; n += 1) {
    const accountId = randomUUID()
    const grant = new provider.Grant({ accountId, clientId: 'app' })
    grant.addOIDCScope('offline_access')
    grant.addResourceScope(audience, 'read write')
    const token = new provider.RefreshToken({
      ...{ accountId, client, scope, resource: audience, gty: 'authorization_code' },
      ...{ grantId: await grant.save(), authTime: Math.floor(Date.now() / 1000), rotations: 0 },
    })
    tokens.push(await token.save())
  }
  return tokens
}

/** Browsers in which people have signed in and allowed the client what it asks for. */
async function seedBrowsers(browsers) {
  const cookies = []
  for (let n = 0; n < browsers; n += 1) {
    const accountId = randomUUID()
    const grant = new provider.Grant({ accountId, clientId: 'app' })
    grant.addOIDCScope('openid read write')
    grant.addResourceScope(audience, 'read write')
    const session = new provider.Session()
    session.loginAccount({ accountId, amr: ['pwd'] })
    session.ensureClientContainer('app')
    session.grantIdFor('app', await grant.save())
    const pair = `_session=${await session.save(sessionSeconds)}`
    // As Keygrip signs, which its cookies use.
    const signature = createHmac('sha1', cookieKey).update(pair).digest('base64url')
    cookies.push(`${pair}; _session.sig=${signature}`)
  }
  return cookies
}
