import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Pace } from './contest.ts'
import { type Machine, machineLine } from './machine.ts'
import type { Outcome } from './outcome.ts'
import { type Pages, pagesTable } from './pages.ts'
import { type Scaling, scalingTable } from './scaling.ts'
import { sizingTable } from './sizing.ts'
import { type StartUp, startUpTable } from './start-up.ts'
import { costTable, failureLines, throughputTable } from './table.ts'
import type { Tables } from './tables/tables.ts'
import { tablesText } from './tables/text.ts'

/** A whole run; what was not asked for is not there. */
export interface Report {
  readonly machine: Machine
  readonly pace: Pace
  readonly outcomes: readonly Outcome[]
  readonly pages: Pages | undefined
  readonly startUp: StartUp | undefined
  readonly scaling: Scaling | undefined
  readonly tables: Tables | undefined
}

const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url))

/** The chapters that were measured, by the name of their place in docs/performance.md. */
export function chaptersOf(report: Report): Record<string, string> {
  const { machine, pace, outcomes, pages, startUp, scaling, tables } = report
  const rounds = `Medians of ${pace.rounds} rounds of ${pace.seconds} s; in brackets the lowest and the highest.`
  const where = `${rounds} ${machineLine(machine)}.`
  const chapter = (...parts: string[]) => [where, ...parts].join('\n\n')
  return {
    ...(outcomes.length > 0 && {
      throughput: chapter(throughputTable(outcomes), ...failureLines(outcomes)),
      cost: costTable(outcomes),
    }),
    ...(outcomes.length > 0 && startUp && tables && { sizing: sizingTable(report) }),
    ...(pages && { pages: pagesTable(pages) }),
    ...(startUp && { 'start-up': startUpTable(startUp) }),
    ...(scaling && {
      workers: chapter(scalingTable(scaling), ...failureLines(scaling.outcomes)),
    }),
    ...(tables && { tables: chapter(tablesText(tables), ...failureLines(tables.outcomes)) }),
  }
}

/** Puts what was measured into the page; chapters that were not stay as they are. */
export async function writePage(report: Report): Promise<void> {
  let text = await readFile(page, 'utf8')
  for (const [name, chapter] of Object.entries(chaptersOf(report))) {
    text = replaceChapter(text, name, chapter)
  }
  await writeFile(page, text)
}

/** @throws Error when the page has no such place */
export function replaceChapter(text: string, name: string, chapter: string): string {
  const [begin, end] = [`<!-- bench: ${name} -->`, `<!-- /bench: ${name} -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`there is no place for the chapter ${name}`)
  return `${text.slice(0, from + begin.length)}\n${chapter}\n${text.slice(to)}`
}
