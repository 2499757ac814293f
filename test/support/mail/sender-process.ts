import { openPostgres } from '../../../src/stores/postgres.ts'
import { Clock } from '../server/start-server.ts'
import { openSender } from './mail-system.ts'

/** An instance that a test can kill: sends what is due, forever. */
const [, , url = '', smtpUrl] = process.argv
const { db } = openPostgres({ url, poolSize: 5, timeoutSeconds: 20 })
const sender = openSender(db, new Clock(), { smtpUrl })
for (;;) await sender.run()
