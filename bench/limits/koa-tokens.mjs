import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import Koa from 'koa'

/**
 * Bare Koa that redirects with a code, and answers a code with two RSA-2048 signatures and everything else with
 * one. It stores nothing.
 */
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const signed = promisify(sign)
const head = Buffer.from('{"alg":"RS256","typ":"JWT","kid":"one"}').toString('base64url')

async function token(claims) {
  const body = `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
  const signature = await signed('sha256', Buffer.from(body), privateKey)
  return `${body}.${signature.toString('base64url')}`
}

const claims = { iss: 'https://koa.bench.example', sub: 'x'.repeat(36), rest: 'x'.repeat(250) }

process.once('message', () => {
  const app = new Koa()
  app.use(async (ctx) => {
    if (ctx.method === 'GET') {
      const code = randomBytes(48).toString('base64url')
      ctx.status = 303
      ctx.set('location', `https://app.bench.example/callback?code=${code}`)
      return
    }
    const params = new URLSearchParams(await text(ctx.req))
    const iat = Math.floor(Date.now() / 1000)
    const code = params.get('code')
    const access_token = await token({ ...claims, iat, jti: code })
    const answer = { access_token, token_type: 'Bearer', expires_in: 900 }
    if (code === null) {
      ctx.body = answer
      return
    }
    // One after the other: an ID token has the digest of the access token.
    const id_token = await token({ ...claims, iat, at_hash: access_token.slice(-22) })
    ctx.body = { ...answer, id_token }
  })
  const server = app.listen(0, '127.0.0.1', () =>
    process.send({ result: { port: server.address().port } }),
  )
})
process.on('disconnect', () => process.exit())
