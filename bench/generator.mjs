/**
 * What every load generator is: a process of its own, to which each message is one round,
 * `{ url, method, headers, connections, seconds, expects, body | bodies | chain }`. Always the same
 * body, one after the other of a list, or the refresh token of an answer before: chains live on in
 * the generator from round to round, under the name that the message gives them.
 */
export function answerRounds(load) {
  process.on('message', async (job) => {
    try {
      process.send({ result: await load({ expects: 200, ...job }) })
    } catch (error) {
      process.send({ error: error.stack })
    }
  })
  // Exits through node, so that what the generator started is told.
  process.once('SIGTERM', () => process.exit(143))
  process.on('disconnect', () => process.exit())
}
