import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../../tools/root.ts'

/**
 * An import goes down this list, never up and never sideways. Folders that belong together at the bottom
 * share a level. `npx tsx test/support/docs/biome-imports.ts` writes the same rule into biome.imports.json,
 * so that an editor shows it; a test compares them.
 */
export const levels: readonly (readonly string[])[] = [
  ['main'],
  ['cli'],
  ['server'],
  ['app'],
  ['endpoints', 'pages'],
  ['api'],
  ['explanations'],
  ['grants', 'janitor'],
  ['authentication', 'http'],
  ['users', 'clients', 'consents'],
  ['passwords', 'sessions', 'tokens'],
  ['revocations', 'mail', 'backchannel', 'throttle'],
  ['keyring', 'audit'],
  ['stores'],
  ['telemetry'],
  ['oauth', 'config', 'clock', 'identifier', 'shard', 'languages', 'device-names'],
  ['errors'],
]

/** Other services import it, and it sees nothing of the server. */
export const apart = 'verifier'

const isFolder = (name: string): boolean => existsSync(join(root, 'src', name))
const places = (names: readonly string[]): string[] => {
  const folders = names.filter(isFolder)
  const files = names.filter((name) => !isFolder(name))
  return [
    ...(folders.length > 0 ? [`{..,../..}/{${folders.join(',')},}/**`] : []),
    ...(files.length > 0 ? [`{..,../..}/{${files.join(',')},}.ts`] : []),
  ]
}

/** The content of biome.imports.json: what each folder of `src/` must not import. */
export function biomeImports(): string {
  const rules = [
    ...levels.flatMap((level, at) =>
      level.filter(isFolder).map((name) => {
        const above = levels.slice(0, at + 1).flat()
        return { name, refused: [...above.filter((one) => one !== name), apart] }
      }),
    ),
    { name: apart, refused: levels.flat() },
  ]
  const overrides = rules.map(({ name, refused }) => JSON.stringify(overrideOf(name, refused)))
  return `{ "overrides": [\n${overrides.join(',\n')}\n] }\n`
}

function overrideOf(name: string, refused: readonly string[]) {
  const message = 'Imports go down: ARCHITECTURE.md, The import rule'
  const options = { patterns: [{ group: places(refused), message }] }
  return {
    includes: [`src/${name}/**`],
    linter: { rules: { style: { noRestrictedImports: { level: 'error', options } } } },
  }
}
