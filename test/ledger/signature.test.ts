import { describe, expect, it } from 'vitest';
import { checkSignatureForm } from '../../src/ledger/signature.ts';
import { SIGNATURE_VECTORS } from './signature-vectors.ts';

/** What only the equation, or the point's being on its curve, tells apart. */
const OF_GOOD_FORM = SIGNATURE_VECTORS.filter(({ name, valid }) => {
  return valid || /of another message|torsion part|no point|whose x|not of its hash|r = s = 1/.test(name);
});

describe('the form of a signature', () => {
  it.each(SIGNATURE_VECTORS)('$name', (vector) => {
    const form = checkSignatureForm(vector.identity, vector.signature);
    if (OF_GOOD_FORM.includes(vector)) expect(form.ok).toBe(true);
    else expect(form).toMatchObject({ ok: false, refusal: { code: 'signature-not-canonical' } });
  });

  it('refuses a key of another length', () => {
    const publicKey = new Uint8Array(31).fill(7);
    const signature = new Uint8Array(64).fill(1);
    expect(checkSignatureForm({ keyType: 'ed25519', publicKey }, signature).ok).toBe(false);
    expect(checkSignatureForm({ keyType: 'ed25519', publicKey: Uint8Array.of(...publicKey, 7) }, signature).ok).toBe(
      true,
    );
  });
});
