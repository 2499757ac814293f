import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { variables } from '../../../src/config/environment.ts'
import { fileVariables } from '../../../src/config/secret-files.ts'

/**
 * Generates docs/configuration.md and .env.example from src/config/environment.ts:
 * `npx tsx test/support/docs/configuration-page.ts`.
 */
const headings: Readonly<Record<string, string>> = {
  NODE_ENV: 'Server',
  DATABASE_URL: 'PostgreSQL',
  REDIS_URL: 'Redis',
  DATA_DIR: 'Files and keys',
  ACCESS_TOKEN_SECONDS: 'Tokens and sessions',
  ARGON2_MEMORY_KIB: 'Passwords',
  TRUSTED_PROXIES: 'HTTP',
  LOG_LEVEL: 'Logs and metrics',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'Traces',
  AUDIT_RETENTION_DAYS: 'Housekeeping',
}

const intro = `# Configuration

Signet is configured by environment variables. A file \`.env\` in its working directory supplies variables that are
not set. Signet reads them once at start-up and reports all errors together. \`signet doctor\` checks the rest.

Each secret can be in a file, as Docker, Kubernetes and systemd supply secrets: \`DATABASE_URL_FILE\` names the file
that contains the value of \`DATABASE_URL\`. Setting both is an error. The file has one line of at most 16 KiB. Other
users must not be able to read it, and neither the group nor others to write to it. The group may read it, which
Kubernetes and systemd need. Only below \`/run/secrets\` everyone may read it, because Docker mounts secrets there with
mode 0444 and the users of a container are yours; \`signet doctor\` still warns
([ADR 47](adr/0047-readable-secret-files-are-refused.md)). After a change of the file restart Signet.

<!-- Generated from src/config/environment.ts by: npx tsx test/support/docs/configuration-page.ts -->
`

interface Variable {
  readonly name: string
  readonly meaning: string
  /** In words or, where it is a fixed value, that value. */
  readonly byDefault: string
}

function inFile(secret: string): Variable[] {
  const name = `${secret}_FILE`
  const meaning = `file with the value of \`${secret}\`, which is then not set`
  return fileVariables.includes(name) ? [{ name, meaning, byDefault: '' }] : []
}

const described: Variable[] = Object.entries(variables).flatMap(([name, rule]) => {
  const { description = '', absent } = rule.meta() as { description?: string; absent?: string }
  const fixed = rule.safeParse(undefined).data as unknown
  const shown = String(fixed ?? '')
  const byDefault = absent ?? (shown && `\`${shown}\``)
  return [{ name, meaning: description, byDefault }, ...inFile(name)]
})

/** The page: a table of variables for each subject. */
export function configurationPage(): string {
  const lines = described.flatMap(({ name, meaning, byDefault }) => [
    ...(headings[name]
      ? ['', `## ${headings[name]}`, '', '| Variable | Default | Meaning |', '|---|---|---|']
      : []),
    `| \`${name}\` | ${byDefault.replaceAll('|', '\\|')} | ${meaning.replaceAll('|', '\\|')} |`,
  ])
  return `${intro}${lines.join('\n')}\n`
}

/** `.env.example`: every variable, commented out. */
export function environmentExample(): string {
  const lines = described.flatMap(({ name, meaning, byDefault }) => [
    ...(headings[name] ? ['', `# ${headings[name]}`] : []),
    `# ${meaning}${byDefault ? ` (${byDefault})` : ''}`.replaceAll('`', ''),
    `#${name}=`,
  ])
  return `# Copy to .env and set the variables that differ from their defaults. Details: docs/configuration.md.\n${lines.join('\n')}\n`
}

/** The generated files with their content. */
export const pages = {
  'docs/configuration.md': configurationPage,
  '.env.example': environmentExample,
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, page] of Object.entries(pages)) await writeFile(file, page())
}
