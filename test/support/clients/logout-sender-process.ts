import { createServices } from '../../../src/app/services.ts'
import { readConfig } from '../../../src/config/config.ts'
import { openPostgres } from '../../../src/stores/postgres.ts'
import { openLog } from '../../../src/telemetry/log.ts'
import { masterKeys, testEnvironment } from '../../../tools/fixtures.ts'

/** An instance that a test can kill: sends the notifications that are due, forever. */
const [, , url = ''] = process.argv
const postgres = openPostgres({ url, poolSize: 5, timeoutSeconds: 20 })
const { keyring, logoutSender } = await createServices({
  ...postgres,
  config: readConfig(testEnvironment),
  masterKeys,
  redis: undefined,
  now: () => new Date(),
  log: openLog({ level: 'silent', format: 'json' }),
})
await keyring.reread()
for (;;) await logoutSender.run()
