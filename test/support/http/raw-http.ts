import { once } from 'node:events'
import { connect } from 'node:net'

/** The answers of a server on one connection. */
export interface RawAnswer {
  /** Status of the first answer; 0 when none came. */
  readonly status: number
  readonly headers: Headers
  readonly body: string
  /** Everything, as it came. */
  readonly text: string
  /** True when the server closed the connection by itself, in time. */
  readonly closed: boolean
}

/** More than any honest answer needs, on a machine that does other things as well. */
const maxLingerMilliseconds = 20_000

/** Sends bytes just as they are, which no HTTP client would do, and reads until the server closes. */
export async function sendRaw(
  url: string,
  pieces: string | Uint8Array | readonly (string | Uint8Array)[],
  { hangUp = false }: { hangUp?: boolean } = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  const received: Buffer[] = []
  socket.on('data', (chunk) => received.push(chunk))
  // A server that refuses may well hang up while there is still something to be sent.
  socket.on('error', () => undefined)
  const ended = Promise.race([once(socket, 'end'), once(socket, 'close')]).then(() => true)
  await once(socket, 'connect')
  for (const piece of [pieces].flat()) socket.write(piece as string)
  if (hangUp) socket.end()
  let deadline: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    deadline = setTimeout(resolve, maxLingerMilliseconds, false)
  })
  const closed = await Promise.race([ended, late])
  clearTimeout(deadline)
  socket.destroy()
  return { ...parse(Buffer.concat(received).toString('latin1')), closed }
}

function parse(text: string): Omit<RawAnswer, 'closed'> {
  const end = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\r\n')
  const headers = new Headers()
  for (const line of lines) {
    const at = line.indexOf(':')
    headers.append(line.slice(0, at), line.slice(at + 1).trim())
  }
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0)
  return { status, headers, body: text.slice(end + 4), text }
}

/** A request head and body with whatever headers; the connection is to be closed after it. */
export function rawRequest(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): string {
  const all: Record<string, string> = {
    host: 'signet.example',
    connection: 'close',
    ...(body !== '' && { 'content-length': String(Buffer.byteLength(body)) }),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return `${[`${method} ${target} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n${body}`
}
