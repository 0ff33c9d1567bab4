import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import type { Person } from "./stack";

/** A photo as a camera makes it: far larger than it is sent. */
async function picture(page: Page): Promise<Buffer> {
  const base64 = await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [3200, 1800];
    canvas.getContext("2d")?.fillRect(0, 0, 1600, 1800);
    return canvas.toDataURL("image/jpeg").split(",")[1] ?? "";
  });
  return Buffer.from(base64, "base64");
}

/** Takes a photo in the form while the network is away; it waits, `keep` with it, and goes when the network is back. */
export async function takePhoto({ context, page }: Person, form: Locator, keep: Locator): Promise<void> {
  const photo = { name: "../../plate.jpg", mimeType: "image/jpeg", buffer: await picture(page) };
  await context.setOffline(true);
  await form.getByLabel("Add a photo").setInputFiles(photo);
  await form.getByText("No connection. The photo is sent as soon as there is one.").waitFor();
  expect(await keep.isDisabled()).toBe(true);
  await context.setOffline(false);
  await form.getByText("The photo is there.").waitFor();
}

/** Waits until the photo is shown, as small as it was sent. */
export async function seePhoto(page: Page, name: string): Promise<void> {
  const width = () => page.getByRole("img", { name }).evaluate((one: HTMLImageElement) => one.naturalWidth);
  await expect.poll(width).toBe(1600);
}
