import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs'
import { variables } from './environment.ts'

/** Variables with a secret: each has a variant, such as DATABASE_URL_FILE, that names a file with the value. */
const secretVariables = [
  'DATABASE_URL',
  'REDIS_URL',
  'MASTER_KEYS',
  'SMTP_URL',
  'OTEL_EXPORTER_OTLP_HEADERS',
] as const

type SecretVariable = (typeof secretVariables)[number]

const fileVariable = <Name extends SecretVariable>(name: Name) => `${name}_FILE` as const

export const fileVariables: readonly string[] = secretVariables.map(fileVariable)

/** More than any list of URLs or keys needs; a larger file is another file. */
const mostBytes = 16_384

/** Where Docker and Podman mount secrets: readable by every user of the container (0444), which is theirs alone. */
const containerSecrets = '/run/secrets/'

interface SecretFiles {
  /** The environment with the content of each file under the name of its secret. */
  readonly environment: NodeJS.ProcessEnv
  /** One line for each file that is refused. It begins with the variable, and never contains the content. */
  readonly problems: readonly string[]
}

/** Reads the file of each `…_FILE` variable that is set. */
export function readSecretFiles(environment: NodeJS.ProcessEnv): SecretFiles {
  const values: NodeJS.ProcessEnv = {}
  const problems: string[] = []
  for (const name of secretVariables) {
    const path = environment[fileVariable(name)]?.trim()
    if (!path) continue
    const read = environment[name]?.trim()
      ? { problem: `and ${name} are both set: remove one of them` }
      : readSecret(name, path)
    if ('problem' in read) problems.push(`${fileVariable(name)} ${read.problem}`)
    else values[name] = read.value
  }
  return { environment: { ...environment, ...values }, problems }
}

type Read = { readonly value: string } | { readonly problem: string }

function readSecret(name: SecretVariable, path: string): Read {
  // A message with the path would reveal the secret to the log.
  if (variables[name].safeParse(path).success) {
    return { problem: `must be the path of a file, not the value of ${name} itself` }
  }
  let file: number | undefined
  try {
    // A pipe without a writer would block the start for ever.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = fstatSync(file)
    const unsafe = unsafeFile(stats, path)
    return unsafe ? { problem: `names ${path}, which ${unsafe}` } : decode(readBounded(file), path)
  } catch (error) {
    return { problem: `names ${path}, which cannot be read: ${reason(error)}` }
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  ENXIO: 'it is not a regular file',
}

const reason = (error: unknown): string => {
  const { code = 'an unknown error' } = error as NodeJS.ErrnoException
  return reasons[code] ?? code
}

function unsafeFile(stats: Stats, path: string): string | undefined {
  if (!stats.isFile()) return 'is not a regular file'
  if (stats.mode & 0o022) return 'other users can write to. Run: chmod go-w on it'
  if (stats.mode & 0o004 && !isContainerSecret(path)) {
    return 'other users can read. Run: chmod o-r on it; in Kubernetes set defaultMode to 0440'
  }
  return stats.size > mostBytes ? `is larger than ${mostBytes} bytes` : undefined
}

const isContainerSecret = (path: string): boolean => realpathSync(path).startsWith(containerSecrets)

/** Never more than the bound, even if the file grows meanwhile. */
function readBounded(file: number): Buffer {
  const buffer = Buffer.alloc(mostBytes)
  return buffer.subarray(0, readSync(file, buffer))
}

function decode(bytes: Buffer, path: string): Read {
  const problem = (why: string): Read => ({ problem: `names ${path}, which ${why}` })
  const text = bytes.toString('utf8').replace(/\r?\n$/, '')
  if (text.trim() === '') return problem('is empty')
  if (!bytes.equals(Buffer.from(bytes.toString('utf8'))) || text.includes('\0')) {
    return problem('is not a text in UTF-8')
  }
  // The URL parser would join the lines.
  return /[\r\n]/.test(text) ? problem('has more than one line') : { value: text }
}

interface ReadableSecret {
  readonly variable: string
  readonly path: string
  /** Users who can read the file beside this process. */
  readonly readers: 'group' | 'everyone'
}

/**
 * Accepted files that more users can read than this process needs. The group may read a file that is not
 * owned by this process: Kubernetes and systemd hand out secrets of root in this way.
 */
export function readableSecretFiles(environment: NodeJS.ProcessEnv): ReadableSecret[] {
  return fileVariables.flatMap((variable) => {
    const path = environment[variable]?.trim()
    const readers = path ? needlessReaders(path) : undefined
    return path && readers ? [{ variable, path, readers }] : []
  })
}

function needlessReaders(path: string): ReadableSecret['readers'] | undefined {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (!stats) return undefined
  if (stats.mode & 0o004) return 'everyone'
  return stats.mode & 0o040 && stats.uid === process.getuid?.() ? 'group' : undefined
}
