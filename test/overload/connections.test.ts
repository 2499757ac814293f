// Alone: it measures how long answers take under load.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { HttpServer } from '../../src/server/http-server.ts'
import { eventually } from '../../tools/eventually.ts'

async function openHttpServer(t: ExecutionContext, options: { mostConnections?: number } = {}) {
  const httpServer = await HttpServer.open({
    host: '127.0.0.1',
    ports: [0],
    variable: 'PORT',
    requestSeconds: 1,
    answerSeconds: 60,
    idleSeconds: 65,
    ...options,
    handler(request, response) {
      request.on('error', () => undefined)
      request.resume().once('end', () => response.end('answered'))
    },
  })
  t.teardown(() => httpServer.close(0))
  return httpServer
}

async function call(t: ExecutionContext, httpServer: HttpServer): Promise<Socket> {
  const socket = connect(httpServer.port, '127.0.0.1')
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

const complete = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n'
const bodyless = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n'

/** Sends a byte at a time until the other side closes. */
function trickle(socket: Socket, bytes: string): void {
  let sent = 0
  const timer = setInterval(() => {
    if (socket.destroyed || !socket.writable) return clearInterval(timer)
    socket.write(bytes[sent % bytes.length] ?? ' ')
    sent += 1
  }, 50)
  socket.once('close', () => clearInterval(timer))
}

test('ASVS 15.2.2: headers or a body that arrive too slowly, or never → the connection is closed in time', async (t) => {
  const httpServer = await openHttpServer(t)
  const slow = await Promise.all(Array.from({ length: 30 }, () => call(t, httpServer)))
  const answers = slow.map((socket) => text(socket).catch(() => ''))
  for (const [index, socket] of slow.entries()) {
    if (index % 3 === 0)
      trickle(socket, 'GET / HTTP/1.1\r\nx-endless: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')
    if (index % 3 === 1) {
      socket.write(bodyless)
      trickle(socket, 'a')
    }
  }
  const good = await fetch(`http://127.0.0.1:${httpServer.port}/`)
  t.is(await good.text(), 'answered', 'meanwhile others are answered')
  for (const answer of await Promise.all(answers)) t.notRegex(answer, / 200 /)
  t.true(slow.every(({ destroyed, readableEnded }) => destroyed || readableEnded))
})

test('connections beyond the maximum are closed at once, and accepted again when others end', async (t) => {
  const httpServer = await openHttpServer(t, { mostConnections: 5 })
  const held: Socket[] = []
  for (let count = 0; count < 5; count += 1) {
    const socket = await call(t, httpServer)
    // A kept-alive connection is idle from now on; the request timeout does not close it.
    socket.write(complete)
    await once(socket, 'data')
    held.push(socket)
  }
  const surplus = await call(t, httpServer)
  surplus.resume()
  await once(surplus, 'close')
  t.is(surplus.bytesRead, 0)
  held[0]?.destroy()
  await eventually(async () => {
    const next = await call(t, httpServer)
    next.write(complete)
    const answer = await Promise.race([once(next, 'data'), once(next, 'close')])
    return /answered/.test(String(answer[0]))
  }, 'the place is free')
})
