// A client that shows MCP Apps: the protocol's own bridge on one side, the card in a closed frame on the other.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

window.said = [];
window.sizes = [];

window.openCard = async (html, result, context) => {
  const frame = document.createElement("iframe");
  frame.title = "card";
  frame.setAttribute("sandbox", "allow-scripts");
  frame.style.cssText = "width: 100%; height: 60rem; border: 0";
  frame.srcdoc = html;
  const bridge = new AppBridge(null, { name: "host", version: "1" }, { message: { text: {} } }, { hostContext: context });
  const ready = new Promise((done) => bridge.addEventListener("initialized", done));
  bridge.addEventListener("sizechange", (size) => window.sizes.push(size));
  bridge.onmessage = async (message) => {
    window.said.push(message);
    return {};
  };
  document.body.append(frame);
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  await ready;
  await bridge.sendToolInput({ arguments: {} });
  await bridge.sendToolResult(result);
  window.bridge = bridge;
};
