import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { eventually } from '../tools/eventually.ts'
import { ask, few, summary } from './faults-answers.ts'
import { type Finding, observe } from './faults-finding.ts'
import type { FloodServer } from './flood-server.ts'

async function open(port: number, count: number): Promise<{ sockets: Socket[]; failed: number }> {
  const sockets: Socket[] = []
  let failed = 0
  for (let begun = 0; begun < count; begun += 250) {
    const batch = Array.from({ length: Math.min(250, count - begun) }, async () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      const [isOpen] = await Promise.race([
        once(socket, 'connect').then(() => [true]),
        once(socket, 'close').then(() => [false]),
      ])
      if (isOpen) sockets.push(socket)
      else failed += 1
    })
    await Promise.all(batch)
  }
  return { sockets, failed }
}

export async function idle(server: FloodServer): Promise<Finding> {
  return observe(server, '10,000 connections, each idle after one request', async () => {
    const { sockets, failed } = await open(server.port, 10_000)
    let answered = 0
    for (const socket of sockets) {
      socket.on('data', () => {
        answered += 1
      })
      socket.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n')
    }
    await eventually(() => answered >= sockets.length, 'all are answered', 60)
    const alive = sockets.filter(({ destroyed }) => !destroyed).length
    const answers = await few(server.url)
    for (const socket of sockets) socket.destroy()
    return `${alive} open, ${failed} refused; others: ${summary(answers)}`
  })
}

export async function slow(server: FloodServer): Promise<Finding> {
  return observe(
    server,
    '500 clients that send a byte a second, half headers, half bodies',
    async () => {
      const { sockets } = await open(server.port, 500)
      const startedAt = performance.now()
      const ends: number[] = []
      for (const [index, socket] of sockets.entries()) {
        socket.resume()
        socket.once('close', () => ends.push((performance.now() - startedAt) / 1000))
        socket.write(
          index % 2
            ? 'GET / HTTP/1.1\r\nx-endless: '
            : 'POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 9999\r\n\r\n',
        )
      }
      const timer = setInterval(() => {
        for (const socket of sockets) if (socket.writable) socket.write('a')
      }, 1000)
      const answers = await few(server.url)
      await eventually(() => ends.length >= sockets.length, 'all are hung up on', 60)
      clearInterval(timer)
      return `all hung up on after ${Math.min(...ends).toFixed(1)} to ${Math.max(...ends).toFixed(1)} s; others: ${summary(answers)}`
    },
  )
}

export async function storm(server: FloodServer): Promise<Finding> {
  return observe(server, 'restarted, and 1,000 clients that come at once', async () => {
    await server.restart()
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => ask(server.url)))
    return summary(answers)
  })
}
