import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { sha256 } from '../../../common/crypto.js';

/** What a sign-in with WeChat's QR code must remember until the browser returns. */
export interface WechatState {
  applicationId: number;
  /** The first 32 hex digits of the SHA-256 of the URL to return to; of `''` for none. */
  returnHash: string;
  expiresAt: number;
  /** 32 random hex digits. */
  nonce: string;
}

const NUMBER_BYTES = 4;
const HASH_BYTES = 16;
const MAC_BYTES = 16;
const PAYLOAD_BYTES = 2 * NUMBER_BYTES + 2 * HASH_BYTES;
const STATE = new RegExp(`^[0-9a-f]{${2 * (PAYLOAD_BYTES + MAC_BYTES)}}$`);

/**
 * Encodes a signed state as 112 hex digits: WeChat allows at most 128 letters and digits.
 * @see https://developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html
 */
export function signState(key: Buffer, state: Omit<WechatState, 'nonce'>): string {
  const numbers = Buffer.alloc(2 * NUMBER_BYTES);
  numbers.writeUInt32BE(state.applicationId);
  numbers.writeUInt32BE(state.expiresAt, NUMBER_BYTES);
  const payload = Buffer.concat([numbers, Buffer.from(state.returnHash, 'hex'), randomBytes(HASH_BYTES)]);
  return Buffer.concat([payload, mac(key, payload)]).toString('hex');
}

/** @returns null unless `signState` created it with the same key */
export function openState(key: Buffer, text: string): WechatState | null {
  if (!STATE.test(text)) return null;
  const bytes = Buffer.from(text, 'hex');
  const payload = bytes.subarray(0, PAYLOAD_BYTES);
  if (!timingSafeEqual(mac(key, payload), bytes.subarray(PAYLOAD_BYTES))) return null;
  const hashes = payload.subarray(2 * NUMBER_BYTES);
  return {
    applicationId: payload.readUInt32BE(),
    expiresAt: payload.readUInt32BE(NUMBER_BYTES),
    returnHash: hashes.subarray(0, HASH_BYTES).toString('hex'),
    nonce: hashes.subarray(HASH_BYTES).toString('hex'),
  };
}

export function returnHashOf(url: string): string {
  return sha256(url).slice(0, 2 * HASH_BYTES);
}

function mac(key: Buffer, payload: Buffer): Buffer {
  return createHmac('sha256', key).update(payload).digest().subarray(0, MAC_BYTES);
}
