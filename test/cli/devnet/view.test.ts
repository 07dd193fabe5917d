import { describe, expect, test } from 'vitest';
import { frameUpdate, Screen } from '../../../src/cli/devnet/screen.ts';
import { plainLine, renderView, type ViewFacts } from '../../../src/cli/devnet/view.ts';

const FACTS: ViewFacts = {
  chainId: 'devnet-9c294b6b53def1d5601678e550c0168b',
  upSeconds: 3671.4,
  directory: '.devnet',
  nodes: 40,
  speed: 120,
  processes: [
    {
      name: 'validator-1',
      note: null,
      facts: {
        round: 412,
        height: 205,
        stateRoot: 'a1b2c3d4'.repeat(8),
        peers: 4,
        rssBytes: 141_400_000,
        isLeader: true,
        silentBecause: null,
      },
    },
    { name: 'validator-2', note: 'ended with SIGKILL', facts: null },
    {
      name: 'observer',
      note: null,
      facts: {
        round: null,
        height: 204,
        stateRoot: 'a1b2c3d4'.repeat(8),
        peers: 4,
        rssBytes: 120_000_000,
        isLeader: false,
        silentBecause: null,
      },
    },
  ],
  commitsPerSecond: 3.24,
  eventsPerSecond: 7.9,
  latencyMs: { samples: 9, p50: 14.2, p90: 20, p99: 31.4, max: 40 },
  joined: 31,
  submitted: 512,
  acknowledged: 511,
  refused: 1,
  forgeriesRefused: 17,
  readsOk: 212,
  readsFailed: 0,
  problem: null,
  examplePeerId: '16Uiu2HAmFGpAmkTbu9G4pZhEgya8VcKZQ3b8V6auszTYXwYygeXA',
};

describe('the live view', () => {
  test('shows processes, network, population and reads', () => {
    expect(renderView(FACTS, 120)).toMatchInlineSnapshot(`
      [
        "hotledger devnet   devnet-9c294b6b53def1d5601678e550c0168b   up 01:01:11",
        "",
        "process        round   height   state root  peers   memory",
        "validator-1      412      205     a1b2c3d4      4   141 MB  leader",
        "validator-2    ended with SIGKILL",
        "observer           -      204     a1b2c3d4      4   120 MB",
        "",
        "network      3.2 commits/s   7.9 events/s   commit latency p50 14 ms p99 31 ms",
        "population   31 of 40 nodes joined, living 120 times as fast",
        "submitted    512   acknowledged 511   refused 1   forgeries refused 17",
        "reads        212 verified by the observer   0 failed",
        "",
        "Try:  npx hotledger get 16Uiu2HAmFGpAmkTbu9G4pZhEgya8VcKZQ3b8V6auszTYXwYygeXA",
        "Ctrl-C stops everything and keeps the data in .devnet",
      ]
    `);
  });

  test('never draws a line wider than the terminal', () => {
    for (const line of renderView(FACTS, 40)) expect(line.length).toBeLessThanOrEqual(40);
  });

  test('says what is wrong', () => {
    expect(renderView({ ...FACTS, problem: 'validator-2 ended; see node.log' }, 120)).toContain(
      '! validator-2 ended; see node.log',
    );
  });

  test('in a pipe is one plain line', () => {
    expect(plainLine(FACTS)).toMatchInlineSnapshot(
      `"01:01:11 heights 205 - 204  3.2 commits/s  7.9 events/s  commit latency p50 14 ms p99 31 ms  acknowledged 511 of 512  reads 212 verified 0 failed"`,
    );
    expect(plainLine({ ...FACTS, latencyMs: undefined })).not.toContain('\x1b');
  });
});

/** A terminal of a few lines: enough to see what a frame leaves on it. */
function emulate(updates: readonly string[]): string[] {
  const lines: string[] = [''];
  let row = 0;
  let column = 0;
  for (const update of updates) {
    for (const [token] of update.matchAll(/\x1b\[\??(\d*)([a-zA-Z])|[\s\S]/g)) {
      const control = /\x1b\[(\??)(\d*)([a-zA-Z])/.exec(token);
      if (control?.[3] === 'A') row -= Number(control[2]);
      else if (control?.[3] === 'K') lines[row] = (lines[row] ?? '').slice(0, column);
      else if (control?.[3] === 'J') lines.splice(row, lines.length - row, '');
      else if (token === '\r') column = 0;
      else if (token === '\n') {
        row++;
        column = 0;
        lines[row] ??= '';
      } else if (control === null) {
        const line = lines[row] ?? '';
        lines[row] = line.slice(0, column) + token + line.slice(column + 1);
        column++;
      }
    }
  }
  return lines;
}

describe('redrawing', () => {
  test('leaves the last frame on the terminal, and nothing of the ones before', () => {
    const frames = [['one', 'two, long', 'three'], ['one', 'two', 'three'], ['1'], ['one', 'more', 'again', 'four']];
    const updates: string[] = [];
    const screen = new Screen((text) => updates.push(text));
    for (const frame of frames) {
      screen.draw(frame, 24);
      expect(emulate(updates)).toEqual([...frame, '']);
    }
  });

  test('writes only the lines that changed', () => {
    expect(frameUpdate(['same', 'old'], ['same', 'new'])).toBe('\x1b[?2026h\r\x1b[2A\nnew\x1b[K\n\x1b[?2026l');
  });

  test('cuts a frame that would scroll the terminal, and shows the cursor at the end', () => {
    const updates: string[] = [];
    const screen = new Screen((text) => updates.push(text));
    screen.draw(['1', '2', '3', '4'], 3);
    screen.end();
    expect(emulate(updates)).toEqual(['1', '2', '']);
    expect(updates.at(-1)).toContain('\x1b[?25h');
  });
});
