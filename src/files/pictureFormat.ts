/** Pictures in which programs keep prompts; HEIF goes with AVIF. */
export type PictureFormat = 'PNG' | 'JPEG' | 'WebP' | 'AVIF' | 'GIF';

export const pngSignature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Bytes that tell a format. */
export const pictureHeadSize = 12;

export function isPng(head: Uint8Array): boolean {
  return pngSignature.every((byte, i) => head[i] === byte);
}

/** Recognises a picture by its first bytes; null if it is none of those that may carry a prompt. */
export function pictureFormat(head: Uint8Array): PictureFormat | null {
  if (isPng(head)) return 'PNG';
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return 'JPEG';
  const text = String.fromCharCode(...head.subarray(0, pictureHeadSize));
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'WebP';
  if (/^GIF8[79]a/.test(text)) return 'GIF';
  // Pictures of this container: AVIF's brands, and HEIF's, which keep EXIF in the same way.
  return /^(avif|avis|mif1|msf1|heic|heix)$/.test(text.slice(8, 12)) && text.slice(4, 8) === 'ftyp' ? 'AVIF' : null;
}
