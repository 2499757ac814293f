import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import OAuth2Server from '@node-oauth/oauth2-server'
import { modelFor } from './oauth2-model.mjs'

/** @node-oauth/oauth2-server behind node:http, with JWT access tokens that jose signs. */
let model

process.on('message', async (message) => {
  try {
    process.send({ result: await (message.seed ? model.seed(message.seed) : open(message)) })
  } catch (error) {
    process.send({ error: error.stack })
  }
})
process.on('disconnect', () => process.exit())

async function open({ databaseUrl, people }) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  model = await modelFor({ databaseUrl, people, privateKey })
  const oauth = new OAuth2Server({
    model,
    accessTokenLifetime: 900,
    refreshTokenLifetime: 604_800,
    alwaysIssueNewRefreshToken: true,
  })
  const server = createServer(async (request, response) => {
    const body = Object.fromEntries(new URLSearchParams(await text(request)))
    const { method, headers } = request
    const answer = new OAuth2Server.Response()
    const asked = new OAuth2Server.Request({ method, headers, query: {}, body })
    await oauth.token(asked, answer).catch((error) => {
      answer.status = error.code ?? 500
      answer.body = { error: error.name, error_description: error.message }
    })
    const json = JSON.stringify(answer.body)
    response.writeHead(answer.status, {
      ...{ ...answer.headers, 'content-type': 'application/json' },
      'content-length': Buffer.byteLength(json),
    })
    response.end(json)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: server.address().port }
}
