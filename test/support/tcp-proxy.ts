import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import { copyTemplate } from './start-server.ts'

/** What a network can do to the connections that go through it. */
export type Weather =
  /** All is well. */
  | 'fine'
  /** New connections are closed at once, as if nobody listened. */
  | 'refuse'
  /** Connections are accepted, and nothing is ever passed on, in either direction. */
  | 'hang'

/** A wire between a server and its database that a test can cut. */
export interface TcpProxy {
  readonly port: number
  weather: Weather
  /** Resets all connections that are open now. */
  cut(): void
  close(): Promise<void>
}

export async function startTcpProxy(host: string, port: number): Promise<TcpProxy> {
  const open = new Set<Socket>()
  let weather: Weather = 'fine'
  const keep = (socket: Socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
  }
  const server = createServer((near) => {
    keep(near)
    if (weather === 'refuse') return void near.resetAndDestroy()
    const far = connect(port, host)
    keep(far)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => {
        if (weather !== 'hang') to.write(chunk)
      })
      from.on('close', () => to.destroy())
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of open) socket.resetAndDestroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    get weather() {
      return weather
    },
    set weather(next) {
      weather = next
    },
    cut,
    async close() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A test database behind such a wire. */
export async function wiredDatabase(t: ExecutionContext<unknown>) {
  const direct = new URL(await copyTemplate(t))
  const proxy = await startTcpProxy(direct.hostname, Number(direct.port || 5432))
  t.teardown(proxy.close)
  const wired = new URL(direct)
  wired.host = `127.0.0.1:${proxy.port}`
  return { proxy, url: wired.href, directUrl: direct.href }
}
