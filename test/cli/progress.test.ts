/** What a long replay, and a long migration, tell while they run, by a clock of the test. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { migrationProgress } from '../../src/cli/migrate/progress.ts';
import { paceMeter, replayProgress } from '../../src/cli/replay/progress.ts';
import { copyOf } from '../node/migrate/directories.ts';
import { ledgerIn } from '../node/ledger-directory.ts';
import { run, terminalIn } from './terminal.ts';

/** A terminal whose lines are kept, and a clock. */
function watched({ interactive = false } = {}) {
  const lines: string[] = [];
  const clock = { nowMs: 1_000_000 };
  const terminal = { ...terminalIn('/'), interactive, err: (line: string) => lines.push(line) };
  return { clock, lines, nowMs: () => clock.nowMs, terminal };
}

const at = (height: number, events: number) => ({ height, events, fromHeight: 100, headHeight: 1100 });

afterEach(() => {
  vi.restoreAllMocks();
});

/** Every look at the clock finds six seconds gone, so that a line is due whenever one may be. */
function hurry(): void {
  let nowMs = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 6000));
}

describe('the pace of a replay', () => {
  test('is that of the blocks behind the first that is told, however long it took until then', () => {
    const { clock, nowMs } = watched();
    const meter = paceMeter(nowMs);
    clock.nowMs += 600_000;
    expect(meter(at(200, 50))).toEqual({ eventsPerSecond: 0, msLeft: null });
    clock.nowMs += 2000;
    expect(meter(at(400, 1050))).toEqual({ eventsPerSecond: 500, msLeft: 7000 });
    clock.nowMs += 2000;
    expect(meter(at(1100, 2050))).toEqual({ eventsPerSecond: 500, msLeft: 0 });
  });

  test('follows a head that moves on', () => {
    const { clock, nowMs } = watched();
    const meter = paceMeter(nowMs);
    meter(at(100, 0));
    clock.nowMs += 1000;
    expect(meter({ ...at(600, 9), headHeight: 2600 })).toEqual({ eventsPerSecond: 9, msLeft: 4000 });
  });
});

describe('where no bar can be drawn, a line is written every five seconds', () => {
  test.each([
    ['no terminal', {}, false],
    ['output for a program', { interactive: true }, true],
  ])('of a replay, with its rate and the time that is left: %s', (_, options, quiet) => {
    const { clock, lines, nowMs, terminal } = watched(options);
    const { end, show } = replayProgress(terminal, quiet, nowMs);
    clock.nowMs += 60_000;
    show(at(100, 0));
    clock.nowMs += 4999;
    show(at(300, 4000));
    expect(lines).toEqual([]);
    clock.nowMs += 1;
    show(at(350, 5000));
    show(at(351, 5001));
    clock.nowMs += 5000;
    show(at(1000, 9000));
    end();
    expect(lines).toEqual([
      'height 350 of 1100, 1000 events/s, 15.0 s left',
      'height 1000 of 1100, 900 events/s, 1.1 s left',
    ]);
  });

  test('of a migration, step by step, from where it goes on', () => {
    const { clock, lines, nowMs, terminal } = watched();
    const { end, show } = migrationProgress(terminal, false, nowMs);
    const step = { step: '0002-first', direction: 'up', total: 1000 } as const;
    show({ ...step, records: 400 });
    clock.nowMs += 4000;
    show({ ...step, records: 500 });
    expect(lines).toEqual([]);
    clock.nowMs += 1000;
    show({ ...step, records: 600 });
    clock.nowMs += 3000;
    show({ ...step, step: '0003-second', records: 0 });
    clock.nowMs += 6000;
    show({ ...step, step: '0003-second', records: 10 });
    end();
    expect(lines).toEqual([
      '0002-first: 600 of 1000 records, about 10.0 s left',
      '0003-second: 10 of 1000 records, about 10 min left',
    ]);
  });

  test('none where a bar is drawn', () => {
    const { clock, lines, nowMs, terminal } = watched({ interactive: true });
    const [replaying, migrating] = [replayProgress(terminal, false, nowMs), migrationProgress(terminal, false, nowMs)];
    for (const height of [100, 200]) {
      clock.nowMs += 9000;
      replaying.show(at(height, height));
      migrating.show({ step: 'one', direction: 'up', records: height, total: 300 });
    }
    replaying.end();
    migrating.end();
    expect(lines).toEqual([]);
  });
});

describe('the commands tell it on standard error:', () => {
  test('replay, also with --json', async () => {
    const { directory } = await ledgerIn();
    hurry();
    const { err, exit, json } = await run(
      ['replay', '--config', 'config.json', '--json', '--verify', 'none'],
      directory,
    );
    expect([exit, json()]).toMatchObject([0, { chainId: expect.any(String) }]);
    expect(err).toMatch(/^height 3 of 3, \d+ events\/s, 0 ms left$/m);
  });

  test('verify --repair, of the log that it executes again', async () => {
    const { directory } = await ledgerIn({
      afterwards: [{ kind: 'put', key: new TextEncoder().encode('Szz'), value: new Uint8Array(1) }],
    });
    hurry();
    const { err, exit } = await run(['verify', '--config', 'config.json', '--repair'], directory);
    expect(exit).toBe(0);
    expect(err).toMatch(/^height 3 of 3, \d+ events\/s, 0 ms left$/m);
  });

  test.each(['up', 'dry-run'])('migrate %s', async (command) => {
    const { directory } = await copyOf('layout-1');
    hurry();
    const { err, exit } = await run(
      ['migrate', command, '--config', 'config.json', ...(command === 'up' ? [] : ['--within', '1h'])],
      directory,
    );
    expect(exit).toBe(0);
    expect(err).toMatch(/^\d{4}-[a-z-]+: \d+ of \d+ records, about .* left$/m);
  });
});
