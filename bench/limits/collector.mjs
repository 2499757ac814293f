import { createServer } from 'node:http'

/** Takes whatever it is sent, as a collector of traces that is never slow. */
const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
})
process.once('message', () =>
  server.listen(0, '127.0.0.1', () => process.send({ result: { port: server.address().port } })),
)
process.on('disconnect', () => process.exit())
