import Table from 'cli-table3'
import type { Command } from 'commander'
import { explain } from '../server/explain.ts'

/** The result of a command, for programs and for people. */
export interface Result {
  /** Printed with names in snake_case, as in the JSON API. */
  readonly json: unknown
  readonly text: string
  /** The command ran and found a problem: exit 1. */
  readonly failed?: boolean
  /** Another exit code, where 0 and 1 do not suffice. */
  readonly exitCode?: number
}

/** Adds `--json` to a command, prints its result, and exits 1 with a message when it fails. */
export function answers<Options>(
  command: Command,
  run: (options: Options, ...args: string[]) => Promise<Result | undefined>,
  { errorCode = 1 }: { readonly errorCode?: number } = {},
): Command {
  return command.option('--json', 'print JSON').action(async (...received: unknown[]) => {
    const options = command.opts() as Options & { json?: boolean }
    const args = received.slice(0, command.registeredArguments.length) as string[]
    try {
      const result = await run(options, ...args)
      // The command has written its output itself.
      if (!result) return
      process.stdout.write(`${options.json ? jsonText(result.json) : result.text}\n`)
      if (result.failed) process.exitCode = 1
      if (result.exitCode !== undefined) process.exitCode = result.exitCode
    } catch (error) {
      if (options.json) {
        process.stdout.write(`${JSON.stringify({ error: explain(error) }, null, 2)}\n`)
      }
      fail(error, errorCode)
    }
  })
}

/** Names of environment variables are not changed. */
const snakeCase = (name: string): string =>
  /^[a-z]/.test(name) ? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : name

function jsonText(value: unknown): string {
  const renamed = (_key: string, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).map(([name, one]) => [snakeCase(name), one]))
      : member
  return JSON.stringify(value, renamed, 2)
}

/** A command that runs until it is stopped and has no result. */
export function runs(command: Command, run: () => Promise<void>): Command {
  return command.action(() => run().catch((error) => fail(error)))
}

function fail(error: unknown, code = 1): void {
  process.stderr.write(`signet: ${explain(error)}\n`)
  process.exitCode = code
}

/** Adds examples to the help of a command. */
export const example = (command: Command, ...lines: readonly string[]): Command =>
  command.addHelpText('after', ['', 'Example:', ...lines.map((line) => `  ${line}`)].join('\n'))

/** Formats rows under headings, without a frame, so that `cut` and `awk` can read them. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const gaps = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '' }
  const none = { bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' }
  const inside = { left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '' }
  const lines = new Table({
    head: headings.map((heading) => heading.toUpperCase()),
    chars: { ...gaps, ...none, ...inside, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) lines.push([...row])
  return lines
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/** Formats a time to the second, in UTC. */
export const moment = (date: Date | null): string =>
  date ? date.toISOString().replace(/\.\d+Z$/, 'Z') : '-'
