import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests of one connection that may wait for the answers before them; no honest client sends more. */
const mostWaiting = 16

interface Connection {
  /** The answer to the request that came last. */
  latest?: ServerResponse
  /** Requests behind the one that is being answered. */
  waiting: number
  /** Bytes that the client had taken at `lookedAt`, while more of an answer was left. */
  taken: number
  lookedAt: number
}

export interface ConnectionLimits {
  /** A client takes the piece of an answer that is being sent within this time. */
  readonly answerSeconds: number
}

/**
 * The connections of one server. It keeps what a client that sends without reading could use up within
 * bounds: requests of a connection are answered one after another, and an answer that is not read ends it.
 */
export class Connections {
  readonly #open = new Map<Socket, Connection>()
  readonly #handler: RequestListener
  readonly #answerMilliseconds: number
  readonly #timer: NodeJS.Timeout

  constructor(handler: RequestListener, { answerSeconds }: ConnectionLimits) {
    this.#handler = handler
    this.#answerMilliseconds = answerSeconds * 1000
    const interval = Math.min(5_000, this.#answerMilliseconds / 4)
    this.#timer = setInterval(() => this.#endUnread(performance.now()), interval).unref()
  }

  add(socket: Socket): void {
    this.#open.set(socket, { waiting: 0, taken: -1, lookedAt: 0 })
    socket.once('close', () => this.#open.delete(socket))
  }

  /**
   * Node parses a chunk of 64 kB whole and emits all of its requests at once. Answering them at once would
   * hold all of their answers in memory until the client reads.
   */
  readonly listener: RequestListener = (request, response) => {
    const { socket } = request
    const connection = this.#open.get(socket)
    // Ended while the rest of its chunk was parsed.
    if (!connection || socket.destroyed) return
    const before = connection.latest
    connection.latest = response
    if (!before || before.closed) return this.#handler(request, response)
    if (connection.waiting >= mostWaiting) return void socket.destroy()
    connection.waiting += 1
    before.once('close', () => this.#next(connection, request, response))
  };

  /** The answers that were asked for last and have not begun. */
  *unsent(): Iterable<ServerResponse> {
    for (const { latest } of this.#open.values()) if (latest && !latest.headersSent) yield latest
  }

  /** To Node a connection on which nothing was ever asked is not idle. */
  endUnused(): void {
    for (const socket of this.#open.keys()) if (socket.bytesRead === 0) socket.destroy()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #next(connection: Connection, request: IncomingMessage, response: ServerResponse): void {
    connection.waiting -= 1
    if (!request.socket.destroyed) this.#handler(request, response)
  }

  #endUnread(now: number): void {
    for (const [socket, connection] of this.#open) {
      const unread = socket.writableLength
      const taken = unread === 0 ? -1 : socket.bytesWritten - unread
      if (taken === -1 || taken !== connection.taken) {
        connection.taken = taken
        connection.lookedAt = now
      } else if (now - connection.lookedAt >= this.#answerMilliseconds) socket.destroy()
    }
  }
}
