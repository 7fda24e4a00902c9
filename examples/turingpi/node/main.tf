# A module from its image to its login prompt. A second apply does nothing; an image with other contents is written again.

terraform {
  required_providers {
    turingpi = {
      source  = "k1s-dev/turingpi"
      version = ">= 2.0.0"
    }
  }
}

provider "turingpi" {}

variable "image" {
  description = "Image for the modules, plain or .xz."
  type        = string
}

variable "slots" {
  description = "The slots that get it. One is written after the other."
  type        = set(string)
  default     = ["1", "2"]
}

resource "turingpi_node" "module" {
  for_each = var.slots

  node                 = tonumber(each.key)
  firmware_file        = var.image
  power_state          = "on"
  boot_check           = true
  boot_check_pattern   = "login:"
  login_prompt_timeout = 180
}

output "last_boot" {
  value = { for slot, module in turingpi_node.module : slot => module.last_boot }
}
