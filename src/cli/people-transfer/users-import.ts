import { createReadStream } from 'node:fs'
import { open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { z } from 'zod'
import { OperatorError } from '../../errors.ts'
import { withServices } from '../../server/open-runtime.ts'
import { importPeople, type RefusedLine } from '../../users/transfer.ts'
import { answers, example } from '../output.ts'
import { openProgress } from '../progress.ts'
import { linesOf } from './lines.ts'

interface Options {
  report?: string
  resume?: boolean
}

export function importCommand(users: Command): void {
  const command = users
    .command('import')
    .description(
      'import people from another system, with password hashes of bcrypt, scrypt, PBKDF2 or argon2',
    )
    .argument('<file>', 'one person per line, as JSON; - for standard input')
    .option('--report <file>', 'write the refused lines to this file, each with its reason')
    .option('--resume', 'continue where an interrupted import of this file stopped')
  example(command, 'signet users import people.ndjson --report refused.ndjson')
  answers<Options>(command, (options, input = '') => importFile(input, options))
}

async function importFile(input: string, { report, resume }: Options) {
  const isFile = input !== '-'
  if (!isFile && resume) throw new OperatorError('--resume needs a file, not standard input.')
  const from = isFile ? await startOf(input, resume) : nothing
  const refusals = await openRefusals(report, input, from.reportBytes)
  try {
    const end = await withServices(({ audit }, { db, now, config }) => {
      const own = { memoryKib: config.ARGON2_MEMORY_KIB, passes: config.ARGON2_TIME_COST, lanes: 1 }
      return importLines({ db, audit, now, own }, isFile ? input : undefined, from, refusals)
    })
    if (isFile) await removeCheckpoint(input)
    const { imported, skipped, refused } = end
    const hidden = refused - refusals.shown
    const hint = hidden > 0 ? `\n${hidden} refused lines are not shown: use --report` : ''
    return {
      json: { imported, skipped, refused },
      text: `${counts(end)}${hint}`,
      failed: refused > 0,
    }
  } finally {
    await refusals.close()
  }
}

type Services = Parameters<typeof importPeople>[0]

/** Writes the report before the checkpoint, which records its length: resuming truncates the rest. */
async function importLines(
  services: Services,
  input: string | undefined,
  from: Checkpoint,
  refusals: Refusals,
): Promise<Checkpoint> {
  const chunks = input ? createReadStream(input, { start: from.end }) : process.stdin
  const progress = openProgress(input === undefined ? undefined : from.input.bytes)
  let at = from
  try {
    for await (const batch of importPeople(services, linesOf(chunks, from))) {
      const reportBytes = await refusals.record(batch.refused)
      at = {
        input: from.input,
        line: batch.last.number,
        end: batch.last.end,
        reportBytes,
        imported: at.imported + batch.imported,
        skipped: at.skipped + batch.skipped,
        refused: at.refused + batch.refused.length,
      }
      if (input) await writeCheckpoint(input, at)
      progress.update(at.end, `${at.line} lines: ${counts(at)}`)
    }
    return at
  } catch (error) {
    if (input) process.stderr.write(`Stopped after line ${at.line}. Continue with --resume.\n`)
    throw error
  } finally {
    progress.end()
  }
}

const counts = ({ imported, skipped, refused }: Checkpoint): string =>
  `${imported} imported, ${skipped} already present, ${refused} refused`

/** The start of every import. */
const nothing: Checkpoint = {
  input: { bytes: 0, modified: 0 },
  line: 0,
  end: 0,
  imported: 0,
  skipped: 0,
  refused: 0,
  reportBytes: 0,
}

async function startOf(input: string, resume = false): Promise<Checkpoint> {
  try {
    return await (resume ? readCheckpoint(input) : beginning(input))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new OperatorError(`There is no file ${input}.`)
  }
}

const members = z.strictObject({
  /** Identifies the input: a different size or time means that its lines have moved. */
  input: z.strictObject({ bytes: z.int(), modified: z.number() }),
  line: z.int().min(0),
  end: z.int().min(0),
  imported: z.int().min(0),
  skipped: z.int().min(0),
  refused: z.int().min(0),
  reportBytes: z.int().min(0),
})

/** The progress of an import, in a file beside its input while it runs and after an interruption. */
type Checkpoint = z.infer<typeof members>

const pathOf = (input: string): string => `${input}.checkpoint`

async function beginning(input: string): Promise<Checkpoint> {
  const { size: bytes, mtimeMs: modified } = await stat(input)
  return { ...nothing, input: { bytes, modified } }
}

/**
 * @returns the beginning when no import of this file was interrupted
 * @throws OperatorError when the input was changed since
 */
async function readCheckpoint(input: string): Promise<Checkpoint> {
  const start = await beginning(input)
  const json = await readFile(pathOf(input), 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (json === undefined) return start
  const found = members.parse(JSON.parse(json))
  if (JSON.stringify(found.input) === JSON.stringify(start.input)) return found
  throw new OperatorError(
    `${input} has changed since its import was interrupted. Import it without --resume; people who are already present are skipped.`,
  )
}

/** Atomic: a crash leaves the old checkpoint or the new one. */
async function writeCheckpoint(input: string, checkpoint: Checkpoint): Promise<void> {
  const path = pathOf(input)
  await writeFile(`${path}.new`, JSON.stringify(checkpoint), { mode: 0o600 })
  await rename(`${path}.new`, path)
}

const removeCheckpoint = (input: string): Promise<void> => rm(pathOf(input), { force: true })

/** Records refused lines: all of them in a file, or the first ones on the terminal. */
interface Refusals {
  /** How many were shown; Infinity when they are in a file. */
  readonly shown: number
  /** @returns the length of the report */
  record(lines: readonly RefusedLine[]): Promise<number>
  close(): Promise<void>
}

/** @param keptBytes length of the report at the checkpoint; later lines are written again */
async function openRefusals(
  report: string | undefined,
  input: string,
  keptBytes: number,
): Promise<Refusals> {
  if (report === undefined) return shownRefusals()
  const file = await open(report, 'a', 0o600)
  if (input !== '-' && (await realpath(report)) === (await realpath(input))) {
    await file.close()
    throw new OperatorError('The report would overwrite the file that is imported.')
  }
  let bytes = Math.min(keptBytes, (await file.stat()).size)
  await file.truncate(bytes)
  return {
    shown: Number.POSITIVE_INFINITY,
    async record(lines) {
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
      if (text !== '') await file.appendFile(text)
      bytes += Buffer.byteLength(text)
      return bytes
    },
    close: () => file.close(),
  }
}

const mostShown = 20

/** Shows the first refused lines on standard error. */
function shownRefusals(): Refusals {
  let shown = 0
  return {
    get shown() {
      return shown
    },
    async record(lines) {
      for (const { line, reason } of lines.slice(0, mostShown - shown)) {
        process.stderr.write(`line ${line}: ${reason.replace(/\p{C}/gu, '?')}\n`)
        shown += 1
      }
      return 0
    },
    close: async () => undefined,
  }
}
