import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { OperatorError } from '../../errors.ts'

const members = z.strictObject({
  /** Which input it is of: another size or time means that its lines have moved. */
  input: z.strictObject({ bytes: z.int(), modified: z.number() }),
  line: z.int().min(0),
  end: z.int().min(0),
  imported: z.int().min(0),
  skipped: z.int().min(0),
  refused: z.int().min(0),
  reportBytes: z.int().min(0),
})

/** How far an import came: stands beside its input while it runs, and after it was interrupted. */
export type Checkpoint = z.infer<typeof members>

const pathOf = (input: string): string => `${input}.checkpoint`

export async function beginning(input: string): Promise<Checkpoint> {
  const { size: bytes, mtimeMs: modified } = await stat(input)
  const place = { line: 0, end: 0 }
  return {
    input: { bytes, modified },
    ...place,
    imported: 0,
    skipped: 0,
    refused: 0,
    reportBytes: 0,
  }
}

/**
 * @returns the beginning when no import of it was interrupted
 * @throws OperatorError when the input was changed since
 */
export async function readCheckpoint(input: string): Promise<Checkpoint> {
  const start = await beginning(input)
  const json = await readFile(pathOf(input), 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (json === undefined) return start
  const found = members.parse(JSON.parse(json))
  if (JSON.stringify(found.input) === JSON.stringify(start.input)) return found
  throw new OperatorError(
    `${input} was changed since its import was interrupted: import it without --resume; whoever is there already is skipped.`,
  )
}

/** Whole or not at all, whenever the machine stops. */
export async function writeCheckpoint(input: string, checkpoint: Checkpoint): Promise<void> {
  const path = pathOf(input)
  await writeFile(`${path}.new`, JSON.stringify(checkpoint), { mode: 0o600 })
  await rename(`${path}.new`, path)
}

export const removeCheckpoint = (input: string): Promise<void> => rm(pathOf(input), { force: true })
