import { describe, expect, it } from 'vitest';
import { ZERO_HASH } from '../../src/base/hash.ts';
import { unwrap } from '../../src/base/result.ts';
import { firstSafetyRecord } from '../../src/hotstuff/safety-record.ts';
import { SafetyRules } from '../../src/hotstuff/safety-rules.ts';
import { Turn } from '../../src/hotstuff/turn.ts';
import { chain } from './links.ts';

function rulesOf(): SafetyRules {
  return new SafetyRules({
    chain: { chainId: chain.chainId, epoch: 0 },
    self: 0,
    quorum: 1,
    commitDepth: 2,
    genesis: chain.genesisCertificate,
    record: firstSafetyRecord(chain.genesisCertificate),
    silence: null,
  });
}

const REFUSAL = { code: 'x', message: '', details: {} };

describe('the effects of a turn', () => {
  it('come after what must be durable before them', () => {
    const rules = rulesOf();
    const turn = new Turn();
    turn.reject(ZERO_HASH, REFUSAL);
    turn.send({ kind: 'certificate', certificate: chain.genesisCertificate }, 'all');
    turn.cast(unwrap(rules.timeout(1)), [0, 1]);
    turn.commit({ block: chain.genesis.block, sealed: chain.genesis.sealed, changes: [] });
    turn.fetch(1, { kind: 'sealed', fromHeight: 1 }, [1]);
    const kinds = turn.effects(rules).map(({ kind }) => kind);
    expect(kinds).toEqual(['fetch', 'persist', 'commit', 'send', 'cast', 'rejected']);
  });

  it('write the record once, and only where something follows from it', () => {
    const rules = rulesOf();
    const ballot = unwrap(rules.timeout(1));
    const quiet = new Turn();
    quiet.refuse(null, REFUSAL);
    expect(quiet.effects(rules).map(({ kind }) => kind)).toEqual(['refused']);
    const turn = new Turn();
    turn.cast(ballot, [1]);
    expect(turn.effects(rules).map(({ kind }) => kind)).toEqual(['persist', 'cast']);
    const again = new Turn();
    again.cast(ballot, [1]);
    expect(again.effects(rules).map(({ kind }) => kind)).toEqual(['cast']);
  });

  it('go to somebody', () => {
    const rules = rulesOf();
    const turn = new Turn();
    turn.cast(unwrap(rules.timeout(1)), []);
    turn.send({ kind: 'certificate', certificate: chain.genesisCertificate }, []);
    turn.forward([]);
    expect(turn.effects(rules)).toEqual([]);
  });
});
