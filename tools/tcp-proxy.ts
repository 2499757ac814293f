import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** The behaviour of a network towards the connections that go through it. */
export type Weather =
  /** All is well. */
  | 'fine'
  /** New connections are closed at once, as if nobody listened. */
  | 'refuse'
  /** Connections are accepted, and nothing is ever passed on, in either direction. */
  | 'hang'

/** A wire between a server and its database, or Redis, that a test can cut. */
export interface TcpProxy {
  readonly port: number
  weather: Weather
  /** Every answer comes so much later; what is asked arrives at once. */
  answersLateMilliseconds: number
  /** Where new connections lead from now on: another server, as after a failover. */
  leadTo(port: number): void
  /** Nothing passes any more through the connections that are open now, and neither end is told. */
  lose(): void
  /** Resets all connections that are open now. */
  cut(): void
  close(): Promise<void>
}

export async function startTcpProxy(host: string, port: number): Promise<TcpProxy> {
  let target = port
  const open = new Set<Socket>()
  const lost = new WeakSet<Socket>()
  let weather: Weather = 'fine'
  let late = 0
  const keep = (socket: Socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
  }
  const server = createServer((near) => {
    keep(near)
    if (weather === 'refuse') return void near.resetAndDestroy()
    const far = connect(target, host)
    keep(far)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    near.on('data', (chunk) => {
      if (weather !== 'hang' && !lost.has(near)) far.write(chunk)
    })
    // Answers stay in their order when they come on time again.
    let behind: Promise<unknown> | undefined
    far.on('data', (chunk) => {
      if (weather === 'hang' || lost.has(near)) return
      if (late === 0 && !behind) return void near.write(chunk)
      const mine = Promise.all([behind, sleep(late)]).then(() => {
        near.write(chunk)
        if (behind === mine) behind = undefined
      })
      behind = mine
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const lose = () => {
    for (const socket of open) lost.add(socket)
  }
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
    get answersLateMilliseconds() {
      return late
    },
    set answersLateMilliseconds(next) {
      late = next
    },
    leadTo(next) {
      target = next
    },
    lose,
    cut,
    async close() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
