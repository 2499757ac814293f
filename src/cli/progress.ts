import { SingleBar } from 'cli-progress'

/** Reports the progress of a long command on standard error: a bar on a terminal, otherwise lines. */
export interface Progress {
  update(bytes: number, sentence: string): void
  end(): void
}

const secondsBetweenLines = 5

/** @param totalBytes undefined for standard input */
export function openProgress(totalBytes: number | undefined): Progress {
  return process.stderr.isTTY && totalBytes !== undefined ? bar(totalBytes) : sentences()
}

function bar(totalBytes: number): Progress {
  const shown = new SingleBar({
    format: '{bar} {percentage}% | {eta_formatted} left | {sentence}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
  })
  shown.start(totalBytes, 0, { sentence: '' })
  return {
    update: (bytes, sentence) => shown.update(bytes, { sentence }),
    end: () => shown.stop(),
  }
}

function sentences(): Progress {
  let lastAt = performance.now()
  return {
    update(_bytes, sentence) {
      if (performance.now() - lastAt < secondsBetweenLines * 1000) return
      lastAt = performance.now()
      process.stderr.write(`${sentence}\n`)
    },
    end: () => undefined,
  }
}
