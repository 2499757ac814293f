import { randomBytes } from 'node:crypto'
import { access, constants, type FileHandle, link, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { OperatorError } from '../../errors.ts'

/** A file that has its name only once it is complete. */
interface NewFile extends AsyncDisposable {
  readonly output: FileHandle
  /** Where its content is until then: a hidden name beside its own. */
  readonly temporary: string
  /** Writes it to the disk, and gives it its name. @throws OperatorError if a file has it meanwhile */
  publish(): Promise<void>
}

/** The path itself or, if it is a folder, a file in it with the time in its name. */
export async function fileAt(path: string, now: Date): Promise<string> {
  const isFolder = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  )
  if (!isFolder) return path
  const stamp = now.toISOString().replace(/\.\d+Z$/, 'Z')
  return join(path, `signet-${stamp.replaceAll(':', '')}.dump`)
}

/** @throws OperatorError if a file has this name, or the folder cannot be written to */
export async function assertFree(path: string): Promise<void> {
  const exists = await access(path).then(
    () => true,
    () => false,
  )
  if (exists) throw taken(path)
  await access(dirname(path), constants.W_OK).catch((cause) => {
    const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be written to (${cause.code})`
    throw new OperatorError(`The folder ${dirname(path)} ${why}.`, { cause })
  })
}

const taken = (path: string, cause?: unknown) =>
  new OperatorError(`${path} exists: a backup never replaces a file. Choose another name.`, {
    cause,
  })

/** Only its owner can read it. */
export async function createFile(path: string, linkFile = link): Promise<NewFile> {
  const name = `.${basename(path)}.${randomBytes(4).toString('hex')}.partial`
  const temporary = join(dirname(path), name)
  const output = await open(temporary, 'wx', 0o600).catch((cause) => {
    throw new OperatorError(`${temporary} cannot be written: ${cause.message}`, { cause })
  })
  return {
    output,
    temporary,
    async publish() {
      await output.sync()
      await claim(temporary, path, linkFile)
      await syncFolder(dirname(path))
    },
    async [Symbol.asyncDispose]() {
      await output.close()
      await rm(temporary, { force: true })
    },
  }
}

/** Unlike a rename, a link never replaces a file. Some network file systems have no links. */
async function claim(temporary: string, path: string, linkFile: typeof link): Promise<void> {
  try {
    await linkFile(temporary, path)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw taken(path, error)
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error
    await assertFree(path)
    await rename(temporary, path)
  }
}

/** Otherwise a power cut could take the name away again. Not every file system can do it. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
