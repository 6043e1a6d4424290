import PQueue from 'p-queue';
import type { default as MakeSharp, Sharp } from 'sharp';
import { PlutoError } from '../common/errors.js';

export interface AvatarImage {
  bytes: Buffer;
  extension: 'jpg' | 'png';
}

interface Format {
  extension: AvatarImage['extension'];
  signature: Buffer;
  encode: (image: Sharp) => Sharp;
}

const MAX_SIDE = 512;
const MAX_INPUT_PIXELS = 25_000_000;
/** A picture one pixel wide and a million high is expensive to decode despite its area. */
const MAX_INPUT_SIDE = 10_000;
const TIMEOUT_SECONDS = 10;
const MAX_WAITING = 16;

const formats: Format[] = [
  {
    extension: 'jpg',
    signature: Buffer.from([0xff, 0xd8, 0xff]),
    encode: (image) => image.jpeg({ quality: 85 }),
  },
  {
    extension: 'png',
    signature: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    encode: (image) => image.png(),
  },
];

// One picture at a time: signatures need the rest of the thread pool, and a picture at the pixel limit takes
// a lot of memory.
const queue = new PQueue({ concurrency: 1 });
let loaded: typeof MakeSharp | undefined;

/**
 * Re-encodes an untrusted picture: at most 512×512, upright, without metadata, in its own format.
 * @param bytes a JPEG or PNG of at most 25 million pixels and 10,000 a side
 * @throws PlutoError invalidAvatar for anything else, including truncated pictures; serviceUnavailable when
 *   too many are waiting
 */
export async function normaliseAvatar(bytes: Buffer): Promise<AvatarImage> {
  const format = formats.find(({ signature }) => bytes.subarray(0, signature.length).equals(signature));
  if (!format) throw new PlutoError('invalidAvatar');
  if (queue.size >= MAX_WAITING) throw new PlutoError('serviceUnavailable', { retryAfterSeconds: 5 });
  return { bytes: await queue.add(() => render(bytes, format)), extension: format.extension };
}

/** Loaded lazily: most processes never handle an image. */
async function loadSharp(): Promise<typeof MakeSharp> {
  if (loaded) return loaded;
  const { default: sharp } = await import('sharp');
  // Pictures are untrusted: only these two of the many decoders in libvips stay enabled.
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer'] });
  sharp.cache(false);
  sharp.concurrency(1);
  return (loaded = sharp);
}

async function render(bytes: Buffer, format: Format): Promise<Buffer> {
  const sharp = await loadSharp();
  await refuseHuge(sharp(bytes, { limitInputPixels: false }));
  const image = sharp(bytes, {
    autoOrient: true,
    failOn: 'error',
    limitInputPixels: MAX_INPUT_PIXELS,
    sequentialRead: true,
  })
    .resize({ width: MAX_SIDE, height: MAX_SIDE, fit: 'inside', withoutEnlargement: true })
    .timeout({ seconds: TIMEOUT_SECONDS });
  try {
    return await format.encode(image).toBuffer();
  } catch (cause) {
    // sharp throws plain errors; each means that the bytes are not a picture within the limits.
    throw new PlutoError('invalidAvatar', { cause });
  }
}

/** Reads the header only. */
async function refuseHuge(image: Sharp): Promise<void> {
  const head = await image.metadata().catch((cause: unknown) => {
    throw new PlutoError('invalidAvatar', { cause });
  });
  if (Math.max(head.width, head.height) > MAX_INPUT_SIDE || head.width * head.height > MAX_INPUT_PIXELS) {
    throw new PlutoError('invalidAvatar', {
      message:
        `Invalid Avatar Format: the picture is too large (${head.width} × ${head.height}); ` +
        'at most 25 million pixels and 10,000 a side',
    });
  }
}
