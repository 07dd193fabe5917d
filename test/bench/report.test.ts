import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { percentile, summarize } from '../../bench/measure.ts';
import { isReached, latency, save, table, type Report } from '../../bench/report.ts';

const report: Report = {
  startedAt: '2026-01-02T03:04:05.000Z',
  machine: { cores: 2, processor: 'a processor', node: 'v24.0.0' },
  parts: [
    { name: 'Floors', measurements: [latency('V: BLS verify', { samples: 3, p50Ms: 1.2345, p99Ms: 2 })] },
    {
      name: 'Validators',
      measurements: [
        latency('commit latency', { samples: 3, p50Ms: 12, p99Ms: 40 }, [
          { of: 'skeleton', value: 1.2, target: { atMost: 1.6 } },
          { of: 'skeleton, p99', value: 4, target: { atMost: 3 } },
        ]),
        {
          what: 'committed',
          value: 1234.5,
          unit: '1/s',
          ratios: [{ of: 'bound', value: 0.5, target: { atLeast: 0.4 } }],
        },
      ],
    },
  ],
};

describe('percentiles', () => {
  it('are samples, by nearest rank', () => {
    const samples = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect([0, 0.01, 0.5, 0.99, 1].map((fraction) => percentile(samples, fraction))).toEqual([1, 1, 50, 99, 100]);
    expect(summarize([7])).toEqual({ samples: 1, p50Ms: 7, p99Ms: 7 });
  });
});

describe('the report', () => {
  it('is a table with each figure beside its ratios, and says which targets are missed', () => {
    expect(table(report)).toBe(
      [
        '2 cores of a processor, Node v24.0.0',
        '',
        'Floors',
        '  V: BLS verify    1.23 ms   p99 2',
        '',
        'Validators',
        '  commit latency     12 ms  p99 40     1.2 x skeleton  reached: at most 1.6',
        '                                    4 x skeleton, p99  MISSED: at most 3',
        '  committed       1235 1/s                0.5 x bound  reached: at least 0.4',
      ].join('\n'),
    );
  });

  it('knows a target from a mere ratio', () => {
    expect(isReached({ of: 'V', value: 3 })).toBeUndefined();
    expect(isReached({ of: 'V', value: 3, target: { atMost: 3 } })).toBe(true);
    expect(isReached({ of: 'V', value: 3, target: { atLeast: 3.1 } })).toBe(false);
  });

  it('is saved as one JSON with everything in it', () => {
    const directory = mkdtempSync(join(tmpdir(), 'hotledger-report-'));
    const path = save(report, join(directory, 'results'));
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(report);
    rmSync(directory, { recursive: true });
  });
});
