import { realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { databasePassword, openFolder, prepareCluster } from './cluster.ts'
import { type Attached, type AttachOptions, attach, tryServingLock } from './instance-lock.ts'
import { postgresBinaries } from './postgres-binaries.ts'
import { stopPostmaster } from './postmaster.ts'
import { createLauncher } from './unprivileged.ts'

/**
 * A real PostgreSQL for installations without one. Several Signet processes may use one folder: the first
 * starts the database and the last one stops it, whichever started it; a killed process leaves it to the
 * next one. Locks in the database (instance-lock.ts) count the processes, and end with them.
 */
export interface EmbeddedPostgres {
  readonly url: string
  /**
   * Tries to become the serving process of this folder.
   * @returns undefined on success, otherwise the description of the process that is
   */
  acquireServeLock(describeSelf: string): Promise<string | undefined>
  close(): Promise<void>
}

interface EmbeddedPostgresOptions {
  readonly directory: string
  readonly notify: (line: string) => void
  /** `-c` flags for PostgreSQL, for tests that trade durability for speed. */
  readonly settings?: Readonly<Record<string, string>>
  /** Aborts the opening, which may take long after a crash. */
  readonly signal?: AbortSignal | undefined
}

export async function openEmbeddedPostgres({
  directory,
  notify,
  settings = {},
  signal,
}: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await postgresBinaries()
  await openFolder(resolve(directory))
  const folder = await realpath(directory)
  const cluster = join(folder, 'postgres')
  const programs = [binaries.initdb, binaries.postgres]
  const launcher = await createLauncher({ cluster, folder, programs })
  const passwordFile = join(folder, 'postgres-password')
  const password = await databasePassword(passwordFile)
  await prepareCluster({ cluster, password, binaries, launcher, notify })
  const logFile = join(folder, 'postgres.log')
  const options = { cluster, logFile, binaries, launcher, settings, password, passwordFile, notify }
  const closing = new AbortController()
  const attached = await attach(options, signal ?? closing.signal)
  return new Embedded(options, attached, closing)
}

class Embedded implements EmbeddedPostgres {
  readonly url: string
  readonly #options: AttachOptions
  readonly #closing: AbortController
  #attached: Attached
  #serving: string | undefined
  #reattaching: Promise<void> | undefined
  #closed: Promise<void> | undefined

  constructor(options: AttachOptions, attached: Attached, closing: AbortController) {
    this.url = attached.url
    this.#options = options
    this.#closing = closing
    this.#attached = this.#watch(attached)
  }

  async acquireServeLock(describeSelf: string): Promise<string | undefined> {
    const holder = await tryServingLock(this.#attached.client, describeSelf)
    if (holder === undefined) this.#serving = describeSelf
    return holder
  }

  close(): Promise<void> {
    this.#closed ??= this.#leave()
    return this.#closed
  }

  /** Without its lock this process would not be counted, and another one could stop the database. */
  #watch(attached: Attached): Attached {
    attached.client.once('end', () => {
      if (!this.#closing.signal.aborted) this.#reattaching = this.#reattach()
    })
    return attached
  }

  async #reattach(): Promise<void> {
    const { port } = this.#attached
    this.#options.notify('PostgreSQL closed the connection: it crashed or was stopped')
    while (!this.#closing.signal.aborted) {
      try {
        this.#attached = this.#watch(await attach(this.#options, this.#closing.signal, port))
        if (this.#serving) await tryServingLock(this.#attached.client, this.#serving)
        return this.#options.notify('PostgreSQL is running again')
      } catch (error) {
        if (this.#closing.signal.aborted) return
        this.#options.notify((error as Error).message)
        await sleep(2_000, undefined, { signal: this.#closing.signal }).catch(() => undefined)
      }
    }
  }

  async #leave(): Promise<void> {
    this.#closing.abort()
    await this.#reattaching
    const { client, pid } = this.#attached
    const { cluster, notify } = this.#options
    try {
      if (!(await this.#attached.leave())) return
      const stopped = await stopPostmaster(cluster, pid, 10)
      if (!stopped)
        notify(`PostgreSQL (process ${pid}) needs more than 10 s to stop and is left running`)
    } finally {
      await client.end().catch(() => undefined)
    }
  }
}
