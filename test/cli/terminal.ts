/** A terminal that keeps what was printed. */
import { main } from '../../src/cli/main.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

export interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  /** Of the error that was told, where JSON was not asked for. */
  readonly code: string | undefined;
  /** Standard output as JSON. */
  readonly json: () => unknown;
}

/** Nobody reads what is printed here. */
export function terminalIn(directory: string, environment: Readonly<Record<string, string>> = {}): Terminal {
  const nowhere = (): void => undefined;
  return {
    out: nowhere,
    err: nowhere,
    raw: nowhere,
    stream: () => Promise.resolve(),
    interactive: false,
    columns: () => 100,
    rows: () => 40,
    environment,
    directory,
  };
}

export async function run(
  argv: readonly string[],
  directory: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const terminal: Terminal = {
    ...terminalIn(directory, environment),
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    raw: (text) => out.push(text),
    stream: async (text) => void out.push(text.replace(/\n$/, '')),
  };
  const exit = await main(argv, terminal);
  const [, code] = /^hotledger: error ([a-z-]+): /m.exec(err.join('\n')) ?? [];
  return { exit, out: out.join('\n'), err: err.join('\n'), code, json: () => JSON.parse(out.join('\n')) as unknown };
}
