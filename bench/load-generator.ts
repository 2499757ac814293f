import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export const generatorNames = ['wrk', 'autocannon'] as const
export type GeneratorName = (typeof generatorNames)[number]

/** The program that makes the load of a run. */
export interface LoadGenerator {
  readonly name: GeneratorName
  readonly version: () => string
}

/**
 * wrk where there is one: it takes a fraction of the time of a core that autocannon does, and on a small
 * machine what the generator takes is missing from the number.
 * Undefined when it is asked for and there is none.
 */
export function chooseGenerator(wanted: GeneratorName | undefined): LoadGenerator | undefined {
  const wrk = wanted === 'autocannon' ? undefined : versionOfWrk()
  if (wrk !== undefined) return { name: 'wrk', version: () => wrk }
  return wanted === 'wrk' ? undefined : { name: 'autocannon', version: versionOfAutocannon }
}

export const howToGetWrk =
  'there is no wrk on the PATH. Debian and Ubuntu: apt install wrk; Fedora: dnf install wrk; macOS: ' +
  'brew install wrk; elsewhere https://github.com/wg/wrk. Or leave it out: --generator autocannon.'

/** Undefined when there is no such program. It tells its version beside its usage, as a mistake. */
function versionOfWrk(): string | undefined {
  const { error, stdout } = spawnSync('wrk', ['-v'], { encoding: 'utf8', timeout: 10_000 })
  if (error) return undefined
  return /\d+(\.\d+)+/.exec(stdout)?.[0] ?? 'of an unknown version'
}

/** Known when it is installed, which the first run does. */
function versionOfAutocannon(): string {
  const manifest = new URL('node_modules/autocannon/package.json', import.meta.url)
  return JSON.parse(readFileSync(manifest, 'utf8')).version
}
