/** Commands of the older system as we read them and as Go does, over what nobody would write. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { decodeLegacyCommand } from '../../src/ledger/legacy-command.ts';
import { EDGES, legacyCommandBytes } from '../ledger/legacy-commands.ts';
import { needsGo } from './go-build.ts';
import { decodeWithGo, type GoDecoded } from './go-decode.ts';

const RUNS = process.env['LONG'] === '1' ? 500 : 25;

function ownReading(data: Uint8Array): Omit<GoDecoded, 'why'> {
  const decoded = decodeLegacyCommand(data);
  if (!decoded.ok) return { taken: false };
  const { key, operation, value } = decoded.value;
  return { taken: true, op: operation, key, value: toHex(value) } as GoDecoded;
}

describe.runIf(needsGo())('a command of the older system', () => {
  test('is taken when Go takes it, and is read as Go reads it', async () => {
    let taken = 0;
    const commands = fc.array(fc.oneof(legacyCommandBytes, fc.uint8Array({ maxLength: 12 })), {
      minLength: 100,
      maxLength: 200,
    });
    await fc.assert(
      fc.asyncProperty(commands, async (many) => {
        const go = await decodeWithGo(many);
        const readings = go.map(({ taken, ...rest }) => (taken ? { taken, ...rest } : { taken }));
        expect(many.map(ownReading)).toEqual(readings);
        taken += readings.filter((reading) => reading.taken).length;
      }),
      { numRuns: RUNS },
    );
    expect(taken).toBeGreaterThan(RUNS);
  });

  test('is taken and refused at the edges where Go takes and refuses it', async () => {
    const go = await decodeWithGo(EDGES);
    expect(EDGES.map((data) => ownReading(data).taken)).toEqual(go.map(({ taken }) => taken));
  });
});
