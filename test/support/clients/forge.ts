import { constants, createHmac, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'

/** Anything that JSON can say, or the JSON text itself where a library would not write it so. */
type Part = Readonly<Record<string, unknown>> | string | Buffer

export const encodePart = (part: Part): string => {
  if (Buffer.isBuffer(part)) return part.toString('base64url')
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}

/** How a forger signs: what the header says and what really is done can differ. */
export type Signer = (input: string) => Buffer

export const rsa =
  (key: KeyObject, hash = 'sha256'): Signer =>
  (input) =>
    sign(hash, Buffer.from(input), key)

export const pss =
  (key: KeyObject): Signer =>
  (input) =>
    sign('sha256', Buffer.from(input), {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 32,
    })

export const hmac =
  (secret: string | Buffer, hash = 'sha256'): Signer =>
  (input) =>
    createHmac(hash, secret).update(input).digest()

export const unsigned: Signer = () => Buffer.alloc(0)

/** A compact JWS of any header and payload, signed in any way. */
export function forge(header: Part, payload: Part, signer: Signer): string {
  const input = `${encodePart(header)}.${encodePart(payload)}`
  return `${input}.${signer(input).toString('base64url')}`
}

/** A web server that nobody should ever call. */
export async function silentListener(t: ExecutionContext<unknown>) {
  const calls: string[] = []
  const server = createServer((request, response) => {
    calls.push(request.url ?? '')
    response.end('{"keys":[]}')
  })
  server.on('connection', () => calls.push('a connection'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`, calls }
}
