import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import { OperatorError } from '../../errors.ts'
import { withServices } from '../../server/open-runtime.ts'
import { importPeople } from '../../users/transfer.ts'
import { answers, example } from '../output.ts'
import { openProgress } from '../progress.ts'
import {
  beginning,
  type Checkpoint,
  readCheckpoint,
  removeCheckpoint,
  writeCheckpoint,
} from './import-checkpoint.ts'
import { linesOf } from './lines.ts'
import { openRefusals, type Refusals } from './refused-lines.ts'

interface Options {
  report?: string
  resume?: boolean
}

export function importCommand(users: Command): void {
  const command = users
    .command('import')
    .description(
      'take people over from another system, with the password hashes of bcrypt, scrypt, PBKDF2 or argon2',
    )
    .argument('<file>', 'one person a line, as JSON; - for standard input')
    .option('--report <file>', 'write the refused lines there, with the reason of each')
    .option('--resume', 'go on where an interrupted import of this file stopped')
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

/** Report first, then the checkpoint that knows its length: going on cuts off what came after. */
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
      const reportBytes = await refusals.tell(batch.refused)
      at = {
        ...{ input: from.input, line: batch.last.number, end: batch.last.end, reportBytes },
        imported: at.imported + batch.imported,
        skipped: at.skipped + batch.skipped,
        refused: at.refused + batch.refused.length,
      }
      if (input) await writeCheckpoint(input, at)
      progress.tell(at.end, `${at.line} lines: ${counts(at)}`)
    }
    return at
  } catch (error) {
    if (input) process.stderr.write(`Stopped after line ${at.line}; go on with --resume.\n`)
    throw error
  } finally {
    progress.end()
  }
}

const counts = ({ imported, skipped, refused }: Checkpoint): string =>
  `${imported} imported, ${skipped} there already, ${refused} refused`

const nothing: Checkpoint = {
  ...{ input: { bytes: 0, modified: 0 }, line: 0, end: 0, reportBytes: 0 },
  ...{ imported: 0, skipped: 0, refused: 0 },
}

async function startOf(input: string, resume = false): Promise<Checkpoint> {
  try {
    return await (resume ? readCheckpoint(input) : beginning(input))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new OperatorError(`There is no file ${input}.`)
  }
}
