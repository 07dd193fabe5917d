/**
 * A time of day for each process, which may jump: libfaketime, told by a file that it looks at once a second. Steady
 * clocks are left alone, as they are when an operator or a time server sets the clock of a machine.
 */
import { globSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { TestNetwork } from '../e2e/harness.ts';
import { eventually } from '../eventually.ts';

/** Between what a line of a log says and the look at it, and between two looks of the library. */
const SLACK_MS = 15_000;

/** Where Debian puts it. Undefined: it is not here. */
export const [LIBRARY] = globSync('/usr/lib/*/faketime/libfaketime.so.1');

export class Clocks {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** All right, for now. */
  static async make(names: readonly string[]): Promise<Clocks> {
    const directory = await mkdtemp(join(tmpdir(), 'hl-clocks-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const clocks = new Clocks(directory);
    await clocks.#write(names, 0);
    return clocks;
  }

  /** For `NetworkOptions.through`. */
  readonly through = (name: string): readonly string[] => [
    'env',
    `LD_PRELOAD=${LIBRARY}`,
    `FAKETIME_TIMESTAMP_FILE=${this.#file(name)}`,
    'FAKETIME_CACHE_DURATION=1',
    'FAKETIME_DONT_FAKE_MONOTONIC=1',
  ];

  /** They are all that much off at the same time, and what they log says so. @param seconds zero: right again */
  async set(network: TestNetwork, names: readonly string[], seconds: number): Promise<void> {
    await this.#write(names, seconds);
    for (const name of names) {
      await eventually(`the clock of ${name} is ${seconds} s off`, () => {
        const [, time = ''] = /"time":"([^"]+)"/.exec(network.process(name).lastLogLines(1)) ?? [];
        const offMs = Date.parse(time) - Date.now();
        return Math.abs(offMs - seconds * 1_000) < SLACK_MS || undefined;
      });
    }
  }

  async #write(names: readonly string[], seconds: number): Promise<void> {
    const draft = join(this.#directory, 'draft');
    for (const name of names) {
      await writeFile(draft, `${seconds < 0 ? '' : '+'}${seconds}\n`);
      await rename(draft, this.#file(name));
    }
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }
}
