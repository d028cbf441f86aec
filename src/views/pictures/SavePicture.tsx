import type { RefObject } from 'react';
import type { PictureText } from './pictureFile.ts';
import { fileName, saveFile } from './saveFile.ts';

/** Saves a canvas of one pixel a cell, with title, axes and legend. */
export function SavePng({ canvas, text }: { canvas: RefObject<HTMLCanvasElement | null>; text: PictureText }) {
  const save = async () => {
    const { drawPicture } = await import('./pictureFile.ts');
    if (!canvas.current) return;
    drawPicture(canvas.current, text).toBlob((blob) => {
      if (blob) saveFile(`${fileName(text.title)}.png`, blob, 'image/png');
    }, 'image/png');
  };
  return <SaveButton title={text.title} format="PNG" onSave={() => void save()} />;
}

/** Saves a line drawing. */
export function SaveSvg({ title, svg }: { title: string; svg: () => Promise<string> }) {
  return (
    <SaveButton
      title={title}
      format="SVG"
      onSave={async () => saveFile(`${fileName(title)}.svg`, await svg(), 'image/svg+xml')}
    />
  );
}

function SaveButton({ title, format, onSave }: { title: string; format: string; onSave(): unknown }) {
  return (
    <button
      type="button"
      className="small save-picture"
      title={`Save this picture as ${format}`}
      aria-label={`Save ${title} as ${format}`}
      onClick={onSave}
    >
      {format}
    </button>
  );
}
