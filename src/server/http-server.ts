import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, isIPv6 } from 'node:net'
import { OperatorError } from '../errors.ts'
import { Connections } from './connections.ts'

interface HttpServerOptions {
  readonly handler: RequestListener
  readonly host: string
  /** Ports to try, in this order; 0 is any free port. */
  readonly ports: readonly number[]
  /** The environment variable to change when none is free. */
  readonly variable: string
  /** The longest time for a client to send a request. */
  readonly requestSeconds: number
  /** The longest time for a client to read the part of an answer that is being sent. */
  readonly answerSeconds: number
  /** How long a connection without a request is kept. */
  readonly idleSeconds: number
  /** Further connections are closed immediately. */
  readonly mostConnections?: number
}

/** Connections that may wait to be accepted: after a restart all clients connect at the same time. */
const backlog = 4096

/** Files and sockets for everything but clients: the database, Redis, the log. */
const otherFiles = 256

/**
 * Fewer connections than files that this process may open: otherwise idle clients could leave none for
 * the database. Node has already raised its own limit as far as possible.
 */
function connectionsThatFit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8')
    const files = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.NaN)
    return Math.max(otherFiles, Math.min(100_000, (files || 8192) - otherFiles))
  } catch {
    return 8192 - otherFiles
  }
}

/** A listening HTTP server that can be closed without cutting off requests. */
export class HttpServer {
  readonly #server: Server
  readonly #connections: Connections
  #closing = false

  /** @throws OperatorError when it cannot listen there */
  static async open(options: HttpServerOptions): Promise<HttpServer> {
    const server = new HttpServer(options)
    const [port = 0, ...others] = options.ports
    try {
      await server.#listen(port, options.host)
    } catch (error) {
      if (others.length > 0 && isTaken(error)) return HttpServer.open({ ...options, ports: others })
      throw explain(error, options, port)
    }
    return server
  }

  private constructor(options: HttpServerOptions) {
    const { handler, requestSeconds, idleSeconds, mostConnections } = options
    this.#connections = new Connections(handler, options)
    const limits = { maxHeaderSize: 16 * 1024, requireHostHeader: true }
    const times = {
      requestTimeout: requestSeconds * 1000,
      headersTimeout: requestSeconds * 1000,
      keepAliveTimeout: idleSeconds * 1000,
      connectionsCheckingInterval: Math.min(5_000, requestSeconds * 1000),
    }
    this.#server = createServer({ ...limits, ...times }, (request, response) => {
      if (this.#closing) response.setHeader('connection', 'close')
      this.#connections.listener(request, response)
    })
    this.#server.maxConnections = mostConnections ?? connectionsThatFit()
    this.#server.on('connection', (socket) => this.#connections.add(socket))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Closes each connection with its next answer, so that clients reconnect to another instance. */
  closeAfterNextAnswers(): void {
    this.#closing = true
    for (const response of this.#connections.unsent()) response.setHeader('connection', 'close')
  }

  /** Accepts no connection, closes idle ones, and cuts off requests that take longer than `seconds`. */
  async close(seconds: number, insisted?: AbortSignal): Promise<void> {
    this.closeAfterNextAnswers()
    const cutOff = () => this.#server.closeAllConnections()
    const deadline = setTimeout(cutOff, seconds * 1000)
    insisted?.addEventListener('abort', cutOff)
    if (insisted?.aborted) cutOff()
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#connections.endUnused()
    await closed
    clearTimeout(deadline)
    this.#connections.close()
  }

  #listen(port: number, host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ port, host, backlog }, () => resolve())
    })
  }
}

/** The URL of a listening address; a server on all addresses is reachable on the loopback. */
export function urlOf(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${isIPv6(name) ? `[${name}]` : name}:${port}`
}

const isTaken = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EADDRINUSE'

function explain(error: unknown, { host, variable }: HttpServerOptions, port: number): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (isTaken(error)) {
    return new OperatorError(
      `${host}:${port} is in use, perhaps by another Signet. Stop it, or set ${variable} to another port.`,
    )
  }
  if (code === 'EACCES') {
    return new OperatorError(
      `This user may not listen on ${host}:${port}. Set ${variable} to a port above 1023.`,
    )
  }
  return code ? new OperatorError(`Cannot listen on ${host}:${port}: ${message}`) : error
}
