import { createServer } from 'node:http'
import { createVerifier } from 'signet/verifier'

/** A service that verifies with `signet/verifier`; plain JavaScript, as whoever installs it may write. */
const { ISSUER, AUDIENCE, PORT, COOLDOWN_SECONDS } = process.env
const verifier = createVerifier({
  issuer: ISSUER,
  audience: AUDIENCE,
  unknownKidCooldownSeconds: Number(COOLDOWN_SECONDS),
})

createServer(async (request, response) => {
  const [, token] = /^bearer (.*)$/i.exec(request.headers.authorization ?? '') ?? []
  const status = token === undefined ? 401 : await statusOf(token)
  response.writeHead(status).end()
}).listen(Number(PORT), '127.0.0.1')

const unavailable = ['keys_unavailable', 'revocations_stale']

const statusOf = (token) =>
  verifier.verify(token).then(
    () => 200,
    ({ code }) => (unavailable.includes(code) ? 503 : 401),
  )
