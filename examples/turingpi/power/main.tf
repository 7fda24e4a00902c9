# The power of the slots, and what the board says of itself.
#
# The address and the login come from TURINGPI_ENDPOINT, TURINGPI_USERNAME and TURINGPI_PASSWORD.

terraform {
  required_providers {
    turingpi = {
      source  = "k1s-dev/turingpi"
      version = ">= 2.0.0"
    }
  }
}

provider "turingpi" {}

variable "on" {
  description = "The slots that are on."
  type        = set(number)
  default     = [1, 2]
}

resource "turingpi_power" "slot" {
  for_each = toset(["1", "2", "3", "4"])

  node  = tonumber(each.key)
  state = contains(var.on, tonumber(each.key)) ? "on" : "off"
}

data "turingpi_power" "all" {
  depends_on = [turingpi_power.slot]
}

data "turingpi_info" "board" {}

output "firmware" {
  value = data.turingpi_info.board.firmware_version
}

output "powered_on" {
  value = data.turingpi_power.all.powered_on_count
}
