/**
 * What every load generator is: a process of its own, to which each message is one round,
 * `{ url, method, headers, connections, seconds, expects, body | bodies | chain | codes }`. Always the
 * same body, one after the other of a list, or the refresh token of an answer before: chains live on in
 * the generator from round to round, under the name that the message gives them. With `codes` two requests
 * are one: a GET of `codes.url` with the next of its cookies, and the request of the message with the code
 * of the redirect, which counts if it is answered with an ID token.
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
