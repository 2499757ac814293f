import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, isIPv6 } from 'node:net'
import { OperatorError } from '../errors.ts'
import { Connections } from './connections.ts'

export interface DoorOptions {
  readonly handler: RequestListener
  readonly host: string
  /** Tried in this order; 0 is any free one. */
  readonly ports: readonly number[]
  /** The variable to change when none is free. */
  readonly variable: string
  /** A client that sends slowly or nothing does not hold a connection for longer. */
  readonly requestSeconds: number
  /** Nor does one that asks and does not read. */
  readonly answerSeconds: number
  /** Connections at once; beyond them a new one is closed at once. */
  readonly mostConnections?: number
}

/** As many clients may knock at one moment as the kernel keeps: after a restart all of them do. */
const backlog = 4096

/** Files and sockets that are not clients: the database, Redis, the log. */
const otherFiles = 256

/**
 * Fewer than the files that this process may open: or clients that hold connections and ask nothing would
 * leave none to reach the database with. Node has raised its own limit as far as it may.
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

/** A listening HTTP server that can be closed without cutting anybody off. */
export class HttpServer {
  readonly #server: Server
  readonly #connections: Connections
  #lastAnswers = false

  /** @throws OperatorError when it may not listen there */
  static async open(options: DoorOptions): Promise<HttpServer> {
    const metricsServer = new HttpServer(options)
    const [port = 0, ...others] = options.ports
    try {
      await metricsServer.#listen(port, options.host)
    } catch (error) {
      if (others.length > 0 && isTaken(error)) return HttpServer.open({ ...options, ports: others })
      throw explain(error, options, port)
    }
    return metricsServer
  }

  private constructor(options: DoorOptions) {
    const { handler, requestSeconds, mostConnections } = options
    this.#connections = new Connections(handler, options)
    const limits = { maxHeaderSize: 16 * 1024, requireHostHeader: true }
    const times = {
      requestTimeout: requestSeconds * 1000,
      headersTimeout: requestSeconds * 1000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: Math.min(5_000, requestSeconds * 1000),
    }
    this.#server = createServer({ ...limits, ...times }, (request, response) => {
      if (this.#lastAnswers) response.setHeader('connection', 'close')
      this.#connections.listener(request, response)
    })
    this.#server.maxConnections = mostConnections ?? connectionsThatFit()
    this.#server.on('connection', (socket) => this.#connections.add(socket))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on every answer ends its connection, so that its client comes back elsewhere. */
  answerForTheLastTime(): void {
    this.#lastAnswers = true
    for (const response of this.#connections.unsent()) response.setHeader('connection', 'close')
  }

  /** No new connection, no idle one, and an end to those that do not finish in time. */
  async close(seconds: number, insisted?: AbortSignal): Promise<void> {
    this.answerForTheLastTime()
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

/** As it stands in a URL. Who listens everywhere is found on the loopback too. */
export function urlOf(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${isIPv6(name) ? `[${name}]` : name}:${port}`
}

const isTaken = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EADDRINUSE'

function explain(error: unknown, { host, variable }: DoorOptions, port: number): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (isTaken(error)) {
    return new OperatorError(
      `${host}:${port} is in use, perhaps by another Signet. Stop it, or set ${variable} to another port.`,
    )
  }
  if (code === 'EACCES') {
    return new OperatorError(
      `This user may not listen on ${host}:${port}. Set ${variable} above 1023.`,
    )
  }
  return code ? new OperatorError(`Nothing can listen on ${host}:${port}: ${message}`) : error
}
