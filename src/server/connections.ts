import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Pipelined requests that may wait on one connection; no legitimate client sends more. */
const mostWaiting = 16

interface Connection {
  /** The response to the latest request. */
  latest?: ServerResponse
  /** Requests that wait for the response before them. */
  waiting: number
  /** Bytes that the client had read at `checkedAt`, while more of a response was pending. */
  taken: number
  checkedAt: number
}

interface ConnectionLimits {
  /** The longest time for a client to read the pending part of a response. */
  readonly answerSeconds: number
}

/**
 * The connections of one server. It bounds what a client can use up by sending without reading: requests
 * of a connection are answered one after another, and an unread response closes the connection.
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
    this.#open.set(socket, { waiting: 0, taken: -1, checkedAt: 0 })
    socket.once('close', () => this.#open.delete(socket))
  }

  /**
   * Node parses a chunk of 64 kB as a whole and emits all of its requests. Answering them concurrently
   * would keep all responses in memory until the client reads them.
   */
  readonly listener: RequestListener = (request, response) => {
    const { socket } = request
    const connection = this.#open.get(socket)
    // Closed while the rest of its chunk was parsed.
    if (!connection || socket.destroyed) return
    const before = connection.latest
    connection.latest = response
    if (!before || before.closed) return this.#handler(request, response)
    if (connection.waiting >= mostWaiting) return void socket.destroy()
    connection.waiting += 1
    before.once('close', () => this.#next(connection, request, response))
  };

  /** The latest response of each connection that has not started. */
  *unsent(): Iterable<ServerResponse> {
    for (const { latest } of this.#open.values()) if (latest && !latest.headersSent) yield latest
  }

  /** Closes connections without a request, which Node does not count as idle. */
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
        connection.checkedAt = now
      } else if (now - connection.checkedAt >= this.#answerMilliseconds) socket.destroy()
    }
  }
}
