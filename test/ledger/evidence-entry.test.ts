import { beforeEach, describe, expect, it } from 'vitest';
import { toBase64 } from '../../src/base/base64.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { evidenceEntryCodec } from '../../src/ledger/evidence-entry.ts';
import { evidenceKey } from '../../src/ledger/state.ts';
import { evidenceCodec } from '../../src/qc/evidence.ts';
import { voteFor } from '../qc/validators.ts';
import { codeOf, eventOf, peerOf, TestChain, type EventFields } from './nodes.ts';

const VALIDATORS = [100, 101, 102, 103].map((number) => peerOf(number)).sort();
const [reporter, , offender] = VALIDATORS as [string, string, string];

/** Two votes of validator 2; the signatures are admission's to verify. */
function evidenceBytes(change: { epoch?: number; offender?: number } = {}): Uint8Array {
  const signature = new Uint8Array(96);
  return evidenceCodec.encode({
    kind: 'votes',
    epoch: 0,
    offender: 2,
    first: { ballot: voteFor(5), signature },
    second: { ballot: voteFor(5, 'another'), signature },
    ...change,
  });
}

function recorded(change: Readonly<Record<string, unknown>> = {}): EventFields {
  const evidence = toBase64(evidenceBytes());
  return { type: 'evidenceRecorded', peerId: reporter, seq: 1, epoch: 0, offender, evidence, ...change };
}

let ledger: TestChain;

beforeEach(() => {
  ledger = new TestChain(VALIDATORS);
});

describe('evidence', () => {
  it('is kept with who reported it, where, and its digest', () => {
    const event = eventOf(recorded());
    expect(codeOf(ledger.applyVerified(event))).toBe('applied');
    const entry = ledger.get(evidenceKey(0, offender));
    expect(entry && evidenceEntryCodec.decodeOwn(entry)).toEqual({
      reporter,
      event: event.id,
      digest: sha256Hex(evidenceBytes()),
      height: 1,
    });
  });

  it('is one piece a validator and epoch', () => {
    ledger.apply(recorded());
    expect(codeOf(ledger.apply(recorded({ seq: 2 })))).toBe('evidence-known');
  });

  it.each([
    ['by one that is no validator', { peerId: peerOf(1) }, 'not-a-validator'],
    ['of another epoch', { epoch: 1 }, 'wrong-epoch'],
    ['that does not decode', { evidence: 'AAECAw==' }, 'evidence-malformed'],
    ['against another than its event says', { offender: VALIDATORS[3] }, 'evidence-mismatch'],
    ['against one that is no validator', { offender: peerOf(1) }, 'evidence-mismatch'],
    ['of another epoch than its event says', { evidence: toBase64(evidenceBytes({ epoch: 1 })) }, 'evidence-mismatch'],
  ])('%s is refused', (_, change, code) => {
    expect(codeOf(ledger.apply(recorded(change)))).toBe(code);
    expect(ledger.get(evidenceKey(0, offender))).toBeUndefined();
  });
});
