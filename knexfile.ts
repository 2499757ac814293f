import { migrationSource } from './src/stores/migrations.ts'

/** For `tsx node_modules/knex/bin/cli.js --knexfile knexfile.ts`; the server itself runs `signet migrate`. */
export default {
  client: 'pg',
  connection: process.env.DATABASE_URL,
  migrations: { migrationSource },
}
