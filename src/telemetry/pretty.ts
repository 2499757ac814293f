import prettyStream from 'pino-pretty'

/** Log lines for a terminal: time, level, message, and the rest behind it on one line. */
export const pretty = (fd: 1 | 2) =>
  prettyStream({
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname',
    singleLine: true,
    sync: true,
    destination: fd,
  })
