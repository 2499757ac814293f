import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { chooseGenerator, generatorNames, howToGetWrk } from './load-generator.ts'
import type { SetupOptions } from './setup.ts'
import { allNames } from './works.ts'

export interface Options extends SetupOptions {
  /** Works, `pages`, `start_up`, `workers` and `tables`. */
  readonly names: readonly string[]
  readonly json: boolean
  readonly write: boolean
  readonly build: boolean
}

export function readArguments(args: readonly string[]): Options {
  const command = new Command('npm run bench --')
    .description('measures this server, what limits it, and other servers, in one run')
    .option('--only <works>', `parted by commas: ${allNames.join(', ')}`, names)
    .option('--tables', 'also with millions of sessions, which takes minutes more')
    .option('--rounds <n>', 'rounds of each contestant; the median counts', whole, 5)
    .option('--seconds <n>', 'length of a round', whole, 3)
    .option('--warm-up <n>', 'seconds before the first round', whole, 2)
    .addOption(
      new Option('--generator <name>', 'what makes the load; wrk where there is one').choices(
        generatorNames,
      ),
    )
    .option('--json', 'print everything as JSON')
    .option('--write', 'put the tables into docs/performance.md as well')
    .option('--no-build', 'measure dist/ as it is')
    .option('--profile <folder>', 'write CPU profiles of this server there', path)
    .option('--against <main.cjs>', 'another build of Signet, measured beside this one', path)
  const given = command.parse(args, { from: 'user' }).opts()
  const generator = chooseGenerator(given.generator) ?? command.error(`error: ${howToGetWrk}`)
  const wanted: string[] = given.only ?? allNames.filter((name) => name !== 'tables')
  return {
    names: given.tables ? [...new Set([...wanted, 'tables'])] : wanted,
    pace: { rounds: given.rounds, seconds: given.seconds, warmUpSeconds: given.warmUp },
    json: given.json ?? false,
    write: given.write ?? false,
    build: given.build,
    against: given.against,
    profile: given.profile,
    generator,
  }
}

const path = (text: string): string => resolve(text)

function names(text: string): string[] {
  const given = text.split(/[\s,]+/).filter(Boolean)
  const unknown = given.find((name) => !allNames.includes(name))
  if (unknown) throw new InvalidArgumentError(`there is no work ${unknown}.`)
  return given
}

/** wrk knows no parts of a second. */
function whole(text: string): number {
  const number = Number(text)
  if (!(Number.isInteger(number) && number > 0)) {
    throw new InvalidArgumentError('it must be a whole number above 0.')
  }
  return number
}
